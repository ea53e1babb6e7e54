import { createPool } from 'mysql2/promise';
import type { Execute, Row } from '../../db/execute.ts';
import { freshDatabase } from './engines.ts';

/** A new database for one test. `execute` sends statements directly to MySQL, not through the gateway. */
export async function freshExecute(
  name: string,
): Promise<{ execute: Execute; url: string; database: string; close(): Promise<void> }> {
  const { host, port, user, password, database, url, drop } = await freshDatabase(name);
  const pool = createPool({ host, port, user, password, database, timezone: 'Z', connectionLimit: 8 });
  const execute: Execute = async (sql, parameters) => {
    const [rows] = await pool.query(sql, parameters);
    return Array.isArray(rows) ? (rows as Row[]) : [];
  };
  const close = async () => {
    await pool.end();
    await drop();
  };
  return { execute, url, database, close };
}
