import { randomBytes } from 'node:crypto';
import { inject } from 'vitest';
import { type RedisServer, startRedis } from '../../local/engines/engines.ts';
import { copyInto, type DatabaseTemplates, type Login, withConnection } from './database-templates.ts';
import { temporaryFolder } from './temporary-folder.ts';

interface MysqlAddress extends Login {
  flavour: 'mariadb' | 'mysql';
}

/** The MySQL of this run, with its administrator's login. */
export function mysqlForTests(): MysqlAddress {
  return inject('mysql');
}

/** A new, empty Redis for the caller only, without persistence. `stop` also removes its folder. */
export async function freshRedis(options: { extraArguments?: string[] } = {}): Promise<RedisServer> {
  const folder = await temporaryFolder('redis');
  const server = await startRedis({ directory: folder.path, own: true, ...options });
  const stop = async () => {
    await server.stop();
    await folder.remove();
  };
  return { ...server, stop };
}

/** A new database for the caller only, empty or a copy of a template. Its name starts with `name`. */
export async function freshDatabase(
  name = 'test',
  template?: keyof DatabaseTemplates,
): Promise<MysqlAddress & { database: string; url: string; drop(): Promise<void> }> {
  const address = mysqlForTests();
  const database = `${name}_${randomBytes(6).toString('hex')}`;
  await withConnection(address, async (connection) => {
    if (template) await copyInto(connection, inject('templates')[template], database);
    // To name the character set would also set its default collation, which differs from the server's.
    else await connection.query(`CREATE DATABASE \`${database}\``);
  });
  const { host, port, user, password } = address;
  const url = `mysql://${encodeURIComponent(user)}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
  const drop = () =>
    withConnection(address, async (connection) => {
      await connection.query(`DROP DATABASE IF EXISTS \`${database}\``);
    });
  return { ...address, database, url, drop };
}
