import { randomBytes } from 'node:crypto';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import type { Execute, Row } from '../../db/execute.ts';
import { migrate } from '../../db/migrate.ts';
import { seed } from '../../db/seed.ts';

export interface Login {
  host: string;
  port: number;
  user: string;
  password: string;
}

/** Names of databases to copy: all migrations, and all migrations with the sample data of the sandbox. */
export interface DatabaseTemplates {
  migrated: string;
  seeded: string;
}

/**
 * The migrations run once for the whole run. For each test file they would be 100 statements over HTTP, a third of the
 * time of its start.
 */
export async function makeTemplates(login: Login): Promise<DatabaseTemplates & { drop(): Promise<void> }> {
  const run = randomBytes(4).toString('hex');
  const [migrated, seeded] = [`migrated_${run}`, `seeded_${run}`];
  await makeDatabase(login, migrated, (execute) => migrate(execute));
  await withConnection(login, (connection) => copyInto(connection, migrated, seeded));
  await makeDatabase(login, seeded, (execute) => seed(execute, { sandbox: true }));
  const drop = () =>
    withConnection(login, async (connection) => {
      for (const name of [migrated, seeded]) await connection.query(`DROP DATABASE \`${name}\``);
    });
  return { migrated, seeded, drop };
}

async function makeDatabase(login: Login, name: string, fill: (execute: Execute) => Promise<unknown>): Promise<void> {
  await withConnection(login, async (connection) => {
    await connection.query(`CREATE DATABASE IF NOT EXISTS \`${name}\``);
    await connection.query(`USE \`${name}\``);
    await fill(async (sql, parameters) => {
      const [rows] = await connection.query(sql, parameters);
      return Array.isArray(rows) ? (rows as Row[]) : [];
    });
  });
}

/** Creates the database `copy` with the tables and rows of `template`, in two requests. */
export async function copyInto(connection: Connection, template: string, copy: string): Promise<void> {
  const [tables] = await connection.query<RowDataPacket[]>(`SHOW TABLES FROM \`${template}\``);
  const statements = tables.flatMap((row) => {
    const [from, to] = [template, copy].map((database) => `\`${database}\`.\`${Object.values(row)[0]}\``);
    return [`CREATE TABLE ${to} LIKE ${from}`, `INSERT INTO ${to} SELECT * FROM ${from}`];
  });
  await connection.query([`CREATE DATABASE \`${copy}\``, ...statements].join(';'));
}

export async function withConnection<T>(login: Login, work: (connection: Connection) => Promise<T>): Promise<T> {
  const { host, port, user, password } = login;
  const connection = await createConnection({ host, port, user, password, timezone: 'Z', multipleStatements: true });
  try {
    return await work(connection);
  } finally {
    connection.destroy();
  }
}
