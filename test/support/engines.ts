import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { inject } from 'vitest';
import { type RedisServer, startRedis } from '../../local/engines/engines.ts';

interface MysqlAddress {
  host: string;
  port: number;
  user: string;
  password: string;
  flavour: 'mariadb' | 'mysql';
}

/** The run's one MySQL, as its administrator. */
function mysqlForTests(): MysqlAddress {
  return inject('mysql');
}

/** A Redis of the caller's own, empty, without persistence. `stop` also removes its folder. */
export async function freshRedis(options: { extraArguments?: string[] } = {}): Promise<RedisServer> {
  const folder = await temporaryFolder('redis');
  const server = await startRedis({ directory: folder.path, own: true, ...options });
  const stop = async () => {
    await server.stop();
    await folder.remove();
  };
  return { ...server, stop };
}

/** A database of the caller's own, empty; `drop` removes it. Its name starts with `name`. */
export async function freshDatabase(
  name = 'test',
): Promise<MysqlAddress & { database: string; url: string; drop(): Promise<void> }> {
  const address = mysqlForTests();
  const database = `${name}_${randomBytes(6).toString('hex')}`;
  // Naming the character set would bring its default collation along, which is not the server's.
  await administer(`CREATE DATABASE \`${database}\``);
  const { host, port, user, password } = address;
  const url = `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
  return { ...address, database, url, drop: () => administer(`DROP DATABASE IF EXISTS \`${database}\``) };
}

async function administer(statement: string): Promise<void> {
  const { host, port, user, password } = mysqlForTests();
  const connection = await createConnection({ host, port, user, password });
  try {
    await connection.query(statement);
  } finally {
    connection.destroy();
  }
}

export async function temporaryFolder(name: string): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), `miniapp-test-${name}-`));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}
