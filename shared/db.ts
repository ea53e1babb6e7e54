import { Client, type Config, cast, DatabaseError, type Field } from '@planetscale/database';
import { Breaker } from './breaker.ts';
import { errorDetails, integerOr, optionalText, requiredText } from './config.ts';
import { repeatOnContention } from './contention.ts';
import { EngineError, InterruptedTransaction } from './errors.ts';
import { comparesForeignText, errorOfNumber } from './sql-errors.ts';
import { count, countRequest } from './telemetry.ts';
import { send, TransportError } from './transport.ts';

/** The only file that imports @planetscale/database. Each statement is one HTTP request. */

const primaryUrl = requiredText('DATABASE_URL');
const replicaUrl = optionalText('DATABASE_REPLICA_URL');
const timeoutMs = integerOr('MYSQL_TIMEOUT_MS', 2_000);

export type SqlValue = string | number | boolean | null | Uint8Array;
export type Row = Record<string, unknown>;

/**
 * Column values by type, the same for MySQL and MariaDB, which give integer literals different types. Integers become
 * numbers if they are safe integers, otherwise decimal strings. Times become RFC 3339 strings in UTC.
 */
function castColumn(field: Field, value: string | null): unknown {
  if (value === null) return null;
  if (field.type === 'INT64' || field.type === 'UINT64') {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value;
  }
  if (field.type === 'TIMESTAMP' || field.type === 'DATETIME') return rfc3339(value);
  return cast(field, value);
}

const rfc3339 = (value: string): string =>
  `${value.slice(0, 10)}T${value.slice(11, 19)}.${(value.slice(20) || '0').padEnd(3, '0').slice(0, 3)}Z`;

/** A time in the form that MySQL accepts: `2026-11-24 05:59:54.123`. Throws RangeError for an invalid time. */
export const sqlTime = (time: string | number | Date): string =>
  new Date(time).toISOString().replace('T', ' ').replace('Z', '');

/**
 * The form of a real answer. The driver accepts any JSON, and reads JSON without rows as "no rows". Without this check
 * such an answer would be cached as "the record does not exist".
 */
const IS_ANSWER = /^\s*\{[\s\S]*"(?:session|error)"\s*:/;

/** The driver's fetch. It sends each statement at most once, because an INSERT may already be applied. */
async function fetchOnce(
  breaker: Breaker,
  input: string,
  init?: { method: string; headers: Record<string, string>; body: string },
) {
  if (!breaker.admits()) throw new EngineError('mysql', 'breaker open', 'not-applied');
  countRequest('mysql');
  try {
    const answer = await send({
      url: new URL(input),
      method: 'POST',
      headers: init?.headers ?? {},
      body: init?.body ?? '',
      timeoutMs: timeoutMs(),
      repeatable: false,
    });
    const text = answer.body.toString('utf8');
    if (answer.status >= 500) throw new EngineError('mysql', `status ${answer.status}`, 'unknown');
    if (answer.status < 300 && !IS_ANSWER.test(text)) throw new EngineError('mysql', 'answer unreadable', 'unknown');
    breaker.succeeded();
    return {
      ok: answer.status >= 200 && answer.status < 300,
      status: answer.status,
      statusText: answer.statusText,
      text: async () => text,
      headers: { forEach: (visit: (value: string, key: string) => void) => eachHeader(answer.headers, visit) },
    };
  } catch (error) {
    breaker.failed();
    if (error instanceof TransportError) {
      throw new EngineError('mysql', error.reason, error.sent ? 'unknown' : 'not-applied');
    }
    throw error;
  }
}

function eachHeader(headers: Record<string, string>, visit: (value: string, key: string) => void): void {
  for (const [key, value] of Object.entries(headers)) visit(value, key);
}

const clients = new Map<string, Client>();
function clientFor(url: string): Client {
  let client = clients.get(url);
  if (!client) {
    // One breaker for each server: when the replicas are down, the primary is still called.
    const breaker = new Breaker();
    const fetch: NonNullable<Config['fetch']> = (input, init) => fetchOnce(breaker, input, init);
    const config: Config = { url, fetch, cast: castColumn as NonNullable<Config['cast']> };
    client = new Client(config);
    clients.set(url, client);
  }
  return client;
}

/** PlanetScale's errors have errno and sqlstate in their message. The rest of the text differs between servers. */
function sqlError(error: unknown): Error {
  if (error instanceof EngineError) return error;
  // Status 200, but not an answer of the engine: the page of a proxy, or an answer that was cut off.
  if (!(error instanceof DatabaseError)) return new EngineError('mysql', 'answer unreadable', 'unknown');
  const [, errno, sqlState = ''] = /\(errno (\d+)\) \(sqlstate (\w+)\)/.exec(error.message) ?? [];
  if (errno !== undefined) {
    return errorOfNumber(Number(errno), sqlState, errorDetails() === 'on' ? error.message : undefined);
  }
  if (error.status === 401 || error.status === 403)
    return new EngineError('mysql', 'credentials refused', 'not-applied');
  return new EngineError('mysql', 'statement not answered', 'unknown');
}

export interface Written {
  /** UPDATE: the rows that matched, also those that already had the values. INSERT: the rows that were inserted. */
  rowsAffected: number;
  insertId: string;
}

/** Rows of one SELECT, from the primary. Throws EngineError, SqlError. */
export async function query<T extends Row = Row>(sql: string, values: readonly SqlValue[] = []): Promise<T[]> {
  return (await execute(primaryUrl(), sql, values)).rows as T[];
}

/**
 * Rows of one SELECT, from a replica where one is configured. Use it only for cache fills that a floor protects: the
 * rows may be old. Replicas cannot be used (down, broken, too far behind): reads go to the primary. Throws EngineError,
 * SqlError.
 */
export async function queryReplica<T extends Row = Row>(sql: string, values: readonly SqlValue[] = []): Promise<T[]> {
  const replica = replicaUrl();
  if (replica === undefined) return query(sql, values);
  try {
    return (await execute(replica, sql, values)).rows as T[];
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    count('mysql.replica-down');
    return query(sql, values);
  }
}

export const hasReplica = (): boolean => replicaUrl() !== undefined;

/**
 * One autocommit statement, sent once. Throws SqlError, and EngineError with outcome `unknown` when the statement may
 * have been applied. Repeat it then only if a unique key makes that harmless: see writeRepeatably().
 */
export async function write(sql: string, values: readonly SqlValue[] = []): Promise<Written> {
  const { rowsAffected, insertId } = await execute(primaryUrl(), sql, values);
  return { rowsAffected, insertId };
}

async function execute(url: string, sql: string, values: readonly SqlValue[]) {
  try {
    return await clientFor(url).execute(sql, [...values]);
  } catch (error) {
    return noRowsOrThrow(sqlError(error), values);
  }
}

function noRowsOrThrow(error: Error, values: readonly SqlValue[]) {
  if (!comparesForeignText(error, values)) throw error;
  return { rows: [], rowsAffected: 0, insertId: '0' };
}

/**
 * For a statement that a unique key, or a condition of its own, makes safe to repeat. It is sent again after a lost
 * answer, a deadlock or a lock wait, three times in all. Throws EngineError, SqlError.
 */
export const writeRepeatably = (sql: string, values: readonly SqlValue[] = []): Promise<Written> =>
  repeatOnContention(() => write(sql, values), { lostAnswers: true });

/** Sends statements inside one transaction. */
export interface Transaction {
  query<T extends Row = Row>(sql: string, values?: readonly SqlValue[]): Promise<T[]>;
  write(sql: string, values?: readonly SqlValue[]): Promise<Written>;
}

/**
 * Runs BEGIN, the statements of `work`, and COMMIT; each is one request. It is for changes of several tables at once,
 * by operators and when an account is erased: other routes need one statement only. After a deadlock or a lock wait the transaction starts again from
 * BEGIN, three times in all or `tries` times, so `work` may run several times. Throws EngineError with outcome `unknown` only when
 * COMMIT was not answered: nothing is applied before COMMIT. `lostAnswers`: it also starts again then, and after any
 * other lost answer, which the conditions of its statements must make safe.
 */
export const withTransaction = <T>(
  work: (transaction: Transaction) => Promise<T>,
  { lostAnswers = false, tries = 3 } = {},
): Promise<T> => repeatOnContention(() => runTransaction(work), { lostAnswers, tries });

async function runTransaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
  const connection = clientFor(primaryUrl()).connection();
  const run = (sql: string, values: readonly SqlValue[] = []) =>
    connection.execute(sql, [...values]).catch((error: unknown) => noRowsOrThrow(sqlError(error), values));
  let result: T;
  try {
    await run('BEGIN');
    result = await work({
      query: async <R extends Row>(sql: string, values?: readonly SqlValue[]) => (await run(sql, values)).rows as R[],
      async write(sql, values) {
        const { rowsAffected, insertId } = await run(sql, values);
        return { rowsAffected, insertId };
      },
    });
  } catch (error) {
    // ROLLBACK may fail too: the server itself rolls back a transaction that is not committed in time.
    await run('ROLLBACK').catch(() => {});
    const unknown = error instanceof EngineError && error.outcome === 'unknown';
    throw unknown ? new InterruptedTransaction(error.reason) : error;
  }
  try {
    await run('COMMIT');
  } catch (error) {
    // It may not have arrived: then the locks would stay, and a repetition would wait for them.
    await run('ROLLBACK').catch(() => {});
    throw error;
  }
  return result;
}

/** Throws EngineError unless MySQL answers. */
export async function pingMysql(): Promise<void> {
  await query('SELECT 1');
}
