import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { Redis } from 'ioredis';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { expect, onTestFinished, test, vi } from 'vitest';
import { type MysqlServer, startMysql, startRedis } from '../../local/engines/engines.ts';
import { processIdentity } from '../../local/engines/process.ts';
import { freshDatabase, freshRedis } from '../support/engines.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

test('a new Redis answers and is empty', async () => {
  const server = await freshRedis();
  onTestFinished(() => server.stop());
  expect(await redis(server.url, (client) => client.dbsize())).toBe(0);
});

test('a new database behaves like MySQL 8: strict, utf8mb4, UTC, different emoji are not equal', async () => {
  const database = await freshDatabase();
  onTestFinished(() => database.drop());
  const connection = await createConnection(database.url);
  onTestFinished(() => connection.destroy());
  const [rows] = await connection.query<RowDataPacket[]>(
    'SELECT @@sql_mode AS mode, @@character_set_database AS charset, @@time_zone AS zone',
  );
  expect(rows[0]?.mode).toContain('STRICT_TRANS_TABLES');
  expect(rows[0]?.mode).toContain('ONLY_FULL_GROUP_BY');
  expect(rows[0]).toMatchObject({ charset: 'utf8mb4', zone: '+00:00' });
  await connection.query('CREATE TABLE t (word VARCHAR(20) UNIQUE)');
  await connection.query("INSERT INTO t VALUES ('😀'), ('😎')");
  await expect(connection.query("INSERT INTO t VALUES ('😎')")).rejects.toMatchObject({ errno: 1062 });
});

test('MySQL refuses a login without the password', async () => {
  const database = await freshDatabase();
  onTestFinished(() => database.drop());
  const { host, port, user } = database;
  for (const login of [{ user: 'root' }, { user: '' }, { user, password: '' }, { user, password: 'wrong' }]) {
    await expect(createConnection({ host, port, ...login })).rejects.toThrow(/denied/);
  }
});

test('engines end with their process, also when it is killed by SIGKILL', async () => {
  const folder = await testFolder();
  const owner = await startOwner(folder, 'stay');
  for (const pid of owner.pids) expect(await processIdentity(pid)).not.toBeNull();
  owner.child.kill('SIGKILL');
  for (const pid of owner.pids) {
    await vi.waitFor(async () => expect(await processIdentity(pid)).toBeNull(), { timeout: 10_000 });
  }
});

test('a program that does not stop its engines still ends, and its engines end too', async () => {
  const folder = await testFolder();
  const owner = await startOwner(folder, 'leave');
  if (owner.child.exitCode === null) await once(owner.child, 'exit');
  for (const pid of owner.pids) {
    await vi.waitFor(async () => expect(await processIdentity(pid)).toBeNull(), { timeout: 10_000 });
  }
});

test('data that Redis confirmed is there after a stop and after a kill', async () => {
  const directory = `${await testFolder()}/redis`;
  const first = await startRedis({ directory, persist: true, own: true });
  await redis(first.url, (client) => client.set('kept', 'by stop'));
  await first.stop();
  const second = await startRedis({ directory, persist: true, own: true });
  expect(await redis(second.url, (client) => client.get('kept'))).toBe('by stop');
  await redis(second.url, (client) => client.set('kept', 'by kill'));
  await kill(second);
  const third = await startRedis({ directory, persist: true, own: true });
  onTestFinished(() => third.stop());
  expect(await redis(third.url, (client) => client.get('kept'))).toBe('by kill');
});

test('data that MySQL committed is there after a stop and after a kill, for the same administrator', async () => {
  const directory = `${await testFolder()}/mysql`;
  const first = await startMysql({ directory, own: true });
  await mysql(first, 'CREATE DATABASE shop');
  await mysql(first, 'CREATE TABLE shop.t (id INT PRIMARY KEY)');
  await mysql(first, 'INSERT INTO shop.t VALUES (1)');
  await first.stop();
  const second = await startMysql({ directory, own: true });
  expect(second.password).toBe(first.password);
  await mysql(second, 'INSERT INTO shop.t VALUES (2)');
  await kill(second);
  const third = await startMysql({ directory, own: true });
  onTestFinished(() => third.stop());
  expect(await mysql(third, 'SELECT id FROM shop.t ORDER BY id')).toEqual([{ id: 1 }, { id: 2 }]);
});

test('two runs at the same time do not see each other’s data', async () => {
  const folder = await testFolder();
  const servers = await Promise.all([1, 2].map((run) => startMysql({ directory: `${folder}/${run}`, own: true })));
  const [one, other] = servers as [MysqlServer, MysqlServer];
  onTestFinished(async () => void (await Promise.all(servers.map((server) => server.stop()))));
  await mysql(one, 'CREATE DATABASE mine');
  expect(await mysql(other, "SHOW DATABASES LIKE 'mine'")).toEqual([]);
  expect(one.password).not.toBe(other.password);
});

test('a directory that a running engine uses is refused until the engine has stopped', async () => {
  const directory = `${await testFolder()}/mysql`;
  const first = await startMysql({ directory, own: true });
  await expect(startMysql({ directory, own: true })).rejects.toThrow(
    `${directory} is in use by process ${process.pid}`,
  );
  await first.stop();
  const second = await startMysql({ directory, own: true });
  await first.stop(); // does not affect the second
  await expect(startMysql({ directory, own: true })).rejects.toThrow('is in use');
  await second.stop();
});

test('a requested port that another program uses is named in the error', async () => {
  const holder = createServer().listen(0, '127.0.0.1');
  await once(holder, 'listening');
  onTestFinished(() => void holder.close());
  const port = (holder.address() as { port: number }).port;
  const folder = await testFolder();
  for (const start of [startRedis, startMysql]) {
    const wanted = { directory: `${folder}/${start.name}`, port, own: true };
    await expect(start(wanted)).rejects.toThrow(`port ${port} is taken`);
  }
});

test('a long path to the data works', async () => {
  const directory = `${await testFolder()}/${'deep/'.repeat(30)}with space`;
  await mkdir(directory, { recursive: true });
  const mysqlServer = await startMysql({ directory: `${directory}/mysql`, own: true });
  onTestFinished(() => mysqlServer.stop());
  const redisServer = await startRedis({ directory: `${directory}/redis`, persist: true, own: true });
  onTestFinished(() => redisServer.stop());
});

test('a server named by the environment is used and not stopped', async () => {
  const theirs = await freshRedis();
  onTestFinished(() => theirs.stop());
  vi.stubEnv('REDIS_URL', theirs.url);
  onTestFinished(() => void vi.unstubAllEnvs());
  const ours = await startRedis({ directory: '/nowhere' });
  expect(ours).toMatchObject({ port: theirs.port, version: theirs.version, source: 'env' });
  await ours.stop();
  expect(await redis(theirs.url, (client) => client.ping())).toBe('PONG');
});

async function testFolder(): Promise<string> {
  const folder = await temporaryFolder('engines');
  onTestFinished(folder.remove);
  return folder.path;
}

async function redis<T>(url: string, work: (client: Redis) => Promise<T>): Promise<T> {
  const client = new Redis(url);
  try {
    return await work(client);
  } finally {
    client.disconnect();
  }
}

async function mysql({ host, port, user, password }: MysqlServer, sql: string): Promise<unknown> {
  const connection = await createConnection({ host, port, user, password });
  try {
    return (await connection.query(sql))[0];
  } finally {
    connection.destroy();
  }
}

async function kill(server: { pid: number; stop(): Promise<void> }): Promise<void> {
  process.kill(server.pid, 'SIGKILL');
  await server.stop(); // waits for its end
}

async function startOwner(directory: string, mode: 'stay' | 'leave') {
  const script = fileURLToPath(new URL('../support/engine-owner.ts', import.meta.url));
  const child = spawn(process.execPath, ['--import', 'tsx', script, directory, mode], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const [line] = await once(child.stdout, 'data');
  return { child, pids: (JSON.parse(String(line)) as { pids: number[] }).pids };
}
