import { Client, type Config, cast, DatabaseError, type Field } from '@planetscale/database';
import { Breaker } from './breaker.ts';
import { integerOr, optionalText, requiredText } from './config.ts';
import { repeatOnContention } from './contention.ts';
import { EngineError } from './errors.ts';
import { errorOfNumber } from './sql-errors.ts';
import { count, countRequest } from './telemetry.ts';
import { send, TransportError } from './transport.ts';

/** The only file that touches @planetscale/database: each statement below is one HTTP request. */

const primaryUrl = requiredText('DATABASE_URL');
const replicaUrl = optionalText('DATABASE_REPLICA_URL');
const timeoutMs = integerOr('MYSQL_TIMEOUT_MS', 2_000);

export type SqlValue = string | number | boolean | null | Uint8Array;
export type Row = Record<string, unknown>;

/**
 * Column values by type, the same for MySQL and MariaDB (their integer literals differ in type): integers are numbers
 * where exact, otherwise decimal strings; times are RFC 3339 UTC strings.
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

/** `2026-11-24T05:59:54.123Z` as MySQL takes it. Throws RangeError for what is no time. */
export const sqlTime = (time: string | number | Date): string =>
  new Date(time).toISOString().replace('T', ' ').replace('Z', '');

/** To the driver any JSON is an answer, and one without rows says that there are none: a lie that would be cached. */
const IS_ANSWER = /^\s*\{[\s\S]*"(?:session|error)"\s*:/;

/** Statements of which the driver shall never send a second copy: an INSERT that was applied must not come again. */
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
    // One of its own: replicas that are away must not keep anyone from the primary.
    const breaker = new Breaker();
    const fetch: NonNullable<Config['fetch']> = (input, init) => fetchOnce(breaker, input, init);
    const config: Config = { url, fetch, cast: castColumn as NonNullable<Config['cast']> };
    client = new Client(config);
    clients.set(url, client);
  }
  return client;
}

/** errno and sqlstate are in the message of PlanetScale's errors; its other words differ between servers. */
function sqlError(error: unknown): Error {
  if (error instanceof EngineError) return error;
  // What came with status 200 is no answer of the engine: a proxy's page, or one cut off.
  if (!(error instanceof DatabaseError)) return new EngineError('mysql', 'answer unreadable', 'unknown');
  const [, errno, sqlState = ''] = /\(errno (\d+)\) \(sqlstate (\w+)\)/.exec(error.message) ?? [];
  if (errno !== undefined) return errorOfNumber(Number(errno), sqlState);
  if (error.status === 401 || error.status === 403)
    return new EngineError('mysql', 'credentials refused', 'not-applied');
  return new EngineError('mysql', 'statement not answered', 'unknown');
}

export interface Written {
  /** Matched rows for UPDATE (found rows, not changed rows), inserted rows for INSERT. */
  rowsAffected: number;
  insertId: string;
}

/** Rows from the primary. Throws EngineError, SqlError. */
export async function query<T extends Row = Row>(sql: string, values: readonly SqlValue[] = []): Promise<T[]> {
  return (await execute(primaryUrl(), sql, values)).rows as T[];
}

/**
 * Rows from a replica where one is configured: only for fills that a version floor protects. No replica that may be
 * read (away, broken, too far behind): the primary serves.
 */
export async function queryReplica<T extends Row = Row>(sql: string, values: readonly SqlValue[] = []): Promise<T[]> {
  const replica = replicaUrl();
  if (replica === undefined) return query(sql, values);
  try {
    return (await execute(replica, sql, values)).rows as T[];
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    count('mysql.replica-away');
    return query(sql, values);
  }
}

export const hasReplica = (): boolean => replicaUrl() !== undefined;

/**
 * One autocommit statement. Throws EngineError with outcome `unknown` when it may have been applied: callers repeat
 * only what a unique key makes harmless.
 */
export async function write(sql: string, values: readonly SqlValue[] = []): Promise<Written> {
  const { rowsAffected, insertId } = await execute(primaryUrl(), sql, values);
  return { rowsAffected, insertId };
}

async function execute(url: string, sql: string, values: readonly SqlValue[]) {
  try {
    return await clientFor(url).execute(sql, [...values]);
  } catch (error) {
    throw sqlError(error);
  }
}

/**
 * A statement that a unique key, or a guard of its own, makes safe to repeat: sent again after an unknown outcome, a
 * deadlock or a lock wait, three times in all.
 */
export const writeRepeatably = (sql: string, values: readonly SqlValue[] = []): Promise<Written> =>
  repeatOnContention(() => write(sql, values), { lostAnswers: true });

/** The statements of one transaction. */
export interface Transaction {
  query<T extends Row = Row>(sql: string, values?: readonly SqlValue[]): Promise<T[]>;
  write(sql: string, values?: readonly SqlValue[]): Promise<Written>;
}

/**
 * BEGIN, the work's statements, COMMIT, each a request: for operators, whose changes span tables. What serves callers
 * is one statement. Begun again after a deadlock or a lock wait, three times in all. Throws EngineError with outcome
 * `unknown` only when COMMIT was not answered: before it nothing is ever applied.
 */
export const withTransaction = <T>(work: (transaction: Transaction) => Promise<T>): Promise<T> =>
  repeatOnContention(() => runTransaction(work));

async function runTransaction<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
  const connection = clientFor(primaryUrl()).connection();
  const run = (sql: string, values: readonly SqlValue[] = []) =>
    connection.execute(sql, [...values]).catch((error: unknown) => {
      throw sqlError(error);
    });
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
    // Not answered: the server rolls back what nobody commits in time.
    await run('ROLLBACK').catch(() => {});
    const unknown = error instanceof EngineError && error.outcome === 'unknown';
    throw unknown ? new EngineError(error.engine, error.reason, 'not-applied') : error;
  }
  await run('COMMIT');
  return result;
}

/** Throws EngineError unless MySQL answers. */
export async function pingMysql(): Promise<void> {
  await query('SELECT 1');
}
