import { Client, DatabaseError } from '@planetscale/database';

export type Row = Record<string, unknown>;

/** Runs one statement with `?` parameters. Rejects with what the driver threw; see engineErrno. */
export type Execute = (sql: string, parameters?: unknown[]) => Promise<Row[]>;

/** What a person at the terminal may read: a sentence of ours, never an engine's text. */
export class DatabaseTaskError extends Error {
  override readonly name = 'DatabaseTaskError';
}

export function executeOverHttp(databaseUrl: string): Execute {
  const client = new Client({ url: databaseUrl, fetch: (input, init) => fetch(input, init) });
  return async (sql, parameters) => (await client.execute<Row>(sql, parameters ?? null)).rows;
}

/** The engine's error number, or null when no engine spoke (dead socket, time-out, bad credentials). */
export function engineErrno(error: unknown): number | null {
  if (error instanceof DatabaseError) {
    const found = /\(errno (\d+)\)/.exec(error.message);
    return found ? Number(found[1]) : null;
  }
  // mysql2 throws plain Errors; a positive errno is the engine's, a negative one the operating system's.
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : Number.NaN;
  return errno > 0 ? errno : null;
}

/** How the failure may be named in a terminal or a log: a number or a code, no text that could hold data. */
export function engineErrorName(error: unknown): string {
  const errno = engineErrno(error);
  if (errno !== null) return `error ${errno}`;
  if (error instanceof DatabaseError)
    return error.status === 400 ? 'an error without a number' : `HTTP ${error.status}`;
  return 'no answer';
}
