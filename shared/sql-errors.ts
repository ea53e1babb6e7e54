import { ContentionError, EngineError, SqlError } from './errors.ts';

/** Turns error numbers of MySQL into the errors of this project. */
const LOCK_WAIT_TIMEOUT = 1205;
const DEADLOCK = 1213;

/**
 * Errors about the state of the server, not about the statement. SERVER_REFUSES: full, read-only, or out of time;
 * nothing was applied. SERVER_LOST: shut down, connection lost, or an error of Vitess; the statement may have been
 * applied.
 */
const SERVER_REFUSES = new Set([
  1021, 1037, 1038, 1040, 1041, 1114, 1129, 1135, 1203, 1206, 1226, 1290, 1317, 1792, 1836, 1969, 3024,
]);
const SERVER_LOST = new Set([1053, 1105, 1158, 1159, 1160, 1161, 1927, 2006, 2013]);

/** "Illegal mix of collations": of two, three, several operands. */
const COLLATIONS = new Set([1267, 1270, 1271]);

/**
 * true: the statement compared a column of identifiers, which are ASCII, with a text that such a column cannot hold, so
 * no row has it. A caller's or an operator's text must end as "not found", not as an error. With ASCII values alone the
 * same number means a wrong statement.
 */
export const comparesForeignText = (error: Error, values: readonly unknown[]): boolean =>
  error instanceof SqlError &&
  COLLATIONS.has(error.errno) &&
  values.some((value) => typeof value === 'string' && /[^\0-\x7f]/.test(value));

/** `message`: MySQL's own, if it may be kept. */
export function errorOfNumber(errno: number, sqlState: string, message?: string): EngineError | SqlError {
  if (errno === DEADLOCK || errno === LOCK_WAIT_TIMEOUT) return new ContentionError();
  const lost = SERVER_LOST.has(errno);
  if (lost || SERVER_REFUSES.has(errno)) {
    return new EngineError('mysql', `errno ${errno}`, lost ? 'unknown' : 'not-applied');
  }
  return new SqlError(errno, sqlState, message);
}
