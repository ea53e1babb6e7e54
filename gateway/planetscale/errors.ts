import type { TabletType } from './session.ts';
import type { Statement } from './statement.ts';

/** MySQL refused the statement, or the connection to it broke (`fatal`). */
export class MysqlError extends Error {
  constructor(
    readonly errno: number,
    readonly sqlState: string,
    description: string,
    readonly fatal = false,
  ) {
    super(description);
  }
}

/** A refusal by Vitess, not by MySQL. `code` is absent when the gateway layer of Vitess (vtgate) refuses. */
export class VitessError extends Error {
  constructor(
    readonly code: 'Aborted' | 'ResourceExhausted' | undefined,
    description: string,
  ) {
    super(description);
  }
}

/** No server of the requested kind (primary or replica) can be reached. The cause must not be shown to the client. */
export class Unreachable extends Error {}

/** The caller closed its connection before it had the answer. Nobody gets this error. */
export class CallerGone extends Error {}

const CODES = new Map<number, string>([
  ...codes('AlreadyExists', 1050, 1062, 1086, 1125),
  ...codes('NotFound', 1029, 1032, 1051, 1054, 1091, 1094, 1146, 1147, 1176),
  ...codes('Aborted', 1078, 1080, 1152, 1213),
  ...codes('DeadlineExceeded', 1205, 2013),
  ...codes('Unavailable', 1053, 2006),
  ...codes('PermissionDenied', 1044, 1045, 1095, 1142, 1143, 1227),
  ...codes('ResourceExhausted', 1021, 1037, 1038, 1040, 1041, 1114, 1129, 1135, 1153, 1203, 1206, 1226, 10001),
  ...codes('Unimplemented', 1235),
  ...codes('FailedPrecondition', 1046, 1104, 1148, 1162, 1173, 1179, 1215, 1216, 1217, 1241, 1242, 1288, 1289, 1290),
  ...codes('FailedPrecondition', 1291, 1364, 1451, 1452, 1792),
  ...codes('InvalidArgument', 1047, 1048, 1049, 1052, 1055, 1056, 1058, 1059, 1060, 1061, 1063, 1064, 1065, 1066, 1067),
  ...codes('InvalidArgument', 1068, 1071, 1072, 1075, 1090, 1093, 1096, 1101, 1103, 1110, 1111, 1113, 1115, 1118, 1136),
  ...codes('InvalidArgument', 1139, 1140, 1149, 1166, 1170, 1171, 1193, 1210, 1221, 1222, 1231, 1232, 1248, 1264, 1265),
  ...codes('InvalidArgument', 1273, 1292, 1300, 1305, 1366, 1406),
]);

function codes(code: string, ...errnos: number[]): Array<[number, string]> {
  return errnos.map((errno) => [errno, code]);
}

/**
 * The text that the official client puts into DatabaseError.message. Callers parse errno and sqlstate from it, so it
 * has Vitess' format. It contains the statement without its values.
 */
export function vitessText(
  error: MysqlError | VitessError,
  at: { database: string; tablet: TabletType; caller: string; statement?: Statement },
): string {
  if (error instanceof VitessError && error.code === undefined) return error.message;
  const code = error instanceof MysqlError ? (CODES.get(error.errno) ?? 'Unknown') : error.code;
  const numbers = error instanceof MysqlError ? ` (errno ${error.errno}) (sqlstate ${error.sqlState})` : '';
  const head = `target: ${at.database}.-.${at.tablet}: vttablet: rpc error: code = ${code} desc = ${error.message}${numbers} (CallerID: ${at.caller})`;
  if (error instanceof VitessError || at.statement === undefined) return head;
  let variables = 0;
  const sql = at.statement.bare.slice(0, 1000).replace(/\?/g, () => {
    variables += 1;
    return `:vtg${variables}`;
  });
  return `${head}: Sql: ${JSON.stringify(sql)}, BindVars: {REDACTED}`;
}
