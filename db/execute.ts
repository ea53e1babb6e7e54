import { Client, DatabaseError } from '@planetscale/database';

export type Row = Record<string, unknown>;

/** Runs one statement with `?` parameters. Rejects with the error of the driver; see engineErrno. */
export type Execute = (sql: string, parameters?: unknown[]) => Promise<Row[]>;

/** The message is a sentence of this project for the terminal, never the text of an engine. */
export class DatabaseTaskError extends Error {
  override readonly name = 'DatabaseTaskError';
}

export function executeOverHttp(databaseUrl: string): Execute {
  const client = new Client({ url: databaseUrl, fetch: (input, init) => fetch(input, init) });
  return async (sql, parameters) => (await client.execute<Row>(sql, parameters ?? null)).rows;
}

/** The engine's error number. null: the error is not from the engine (dead socket, time-out, bad credentials). */
export function engineErrno(error: unknown): number | null {
  if (error instanceof DatabaseError) {
    const found = /\(errno (\d+)\)/.exec(error.message);
    return found ? Number(found[1]) : null;
  }
  // mysql2 throws plain Errors. A positive errno is from the engine, a negative one from the operating system.
  const errno = error instanceof Error && 'errno' in error ? Number(error.errno) : Number.NaN;
  return errno > 0 ? errno : null;
}

/** A name of the failure for a terminal or a log: a number or a code, without text that could contain data. */
export function engineErrorName(error: unknown): string {
  const errno = engineErrno(error);
  if (errno !== null) return `error ${errno}`;
  if (error instanceof DatabaseError)
    return error.status === 400 ? 'an error without a number' : `HTTP ${error.status}`;
  return 'no answer';
}
