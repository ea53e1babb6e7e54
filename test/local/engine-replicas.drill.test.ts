import { Redis } from 'ioredis';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { expect, onTestFinished, test, vi } from 'vitest';
import { startMysql, startRedis } from '../../local/engines/engines.ts';
import { startSentinels } from '../../local/engines/sentinel.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

// A primary that had replicas needs ten seconds to end with MySQL, and 0.1 s with MariaDB.
vi.setConfig({ testTimeout: 150_000 });
// Usual: a failover takes 3 s, a row is replicated after 20 ms.
const FAILOVER = { timeout: 25_000, interval: 100 };
const REPLICATED = { timeout: 10_000, interval: 20 };

test('a replica is promoted when the Redis master is killed, and the old master returns as its replica', async () => {
  const directory = await testFolder();
  const start = (name: string, options: Partial<Parameters<typeof startRedis>[0]> = {}) =>
    startRedis({ directory: `${directory}/${name}`, own: true, ...options });
  const master = await start('master');
  const replicas = await Promise.all(['one', 'two'].map((name) => start(name, { replicaOf: master })));
  const sentinels = await startSentinels({
    directory,
    count: 3,
    quorum: 2,
    master: { name: 'main', host: master.host, port: master.port },
    replicas: replicas.map(({ host, port }) => ({ host, port })),
  });
  onTestFinished(async () => {
    await sentinels.stop();
    await Promise.all([master, ...replicas].map((server) => server.stop()));
  });

  const sentinel = connection(sentinels.addresses[0]?.port);
  await vi.waitFor(async () => expect(await sentinel.call('SENTINEL', 'CKQUORUM', 'main')).toMatch(/^OK 3/), FAILOVER);
  const writer = connection(master.port);
  await vi.waitFor(async () => {
    await writer.set('row', 'written before');
    expect(await writer.wait(2, 100)).toBe(2);
  }, FAILOVER);
  writer.disconnect();
  process.kill(master.pid, 'SIGKILL');
  await master.stop();

  const promoted = await vi.waitFor(async () => {
    const [, port] = (await sentinel.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', 'main')) as [string, string];
    const client = connection(Number(port));
    expect(await client.call('ROLE')).toContain('master');
    return client;
  }, FAILOVER);
  expect(await promoted.get('row')).toBe('written before');
  const returned = await start('master', { port: master.port });
  onTestFinished(() => returned.stop());
  const old = connection(returned.port);
  await vi.waitFor(async () => expect(await old.call('ROLE')).toContain('slave'), FAILOVER);
});

test('a MySQL replica follows its primary, refuses writes of the application, and catches up after both restarted', async () => {
  const directory = await testFolder();
  let primary = await startMysql({ directory: `${directory}/primary`, own: true });
  const startReplica = (delay: number) =>
    startMysql({ directory: `${directory}/replica`, own: true, replicaOf: primary, replicaDelaySeconds: delay });
  let replica = await startReplica(0);
  onTestFinished(() => replica.stop());
  onTestFinished(() => primary.stop());
  await query(primary, 'CREATE DATABASE app');
  await query(primary, 'CREATE TABLE app.t (id INT PRIMARY KEY)');
  await query(primary, "CREATE USER 'app'@'127.0.0.1' IDENTIFIED BY 'secret'");
  await query(primary, "GRANT ALL ON app.* TO 'app'@'127.0.0.1'");
  await query(primary, 'INSERT INTO app.t VALUES (1)');
  const ids = async () => (await query(replica, 'SELECT id FROM app.t ORDER BY id')).map((row) => row.id);
  await vi.waitFor(async () => expect(await ids()).toEqual([1]), REPLICATED);

  const application = { ...replica, user: 'app', password: 'secret' };
  await expect(query(application, 'INSERT INTO app.t VALUES (9)')).rejects.toMatchObject({ errno: 1290 });

  await replica.stop();
  await primary.stop();
  primary = await startMysql({ directory: `${directory}/primary`, own: true }); // on another port
  await query(primary, 'INSERT INTO app.t VALUES (2)');
  replica = await startReplica(0);
  await vi.waitFor(async () => expect(await ids()).toEqual([1, 2]), REPLICATED);
});

function connection(port = 0): Redis {
  const client = new Redis({ port, host: '127.0.0.1', maxRetriesPerRequest: 0 });
  client.on('error', () => {}); // servers are killed here on purpose
  onTestFinished(() => client.disconnect());
  return client;
}

async function query(
  { host, port, user, password }: { host: string; port: number; user: string; password: string },
  sql: string,
): Promise<RowDataPacket[]> {
  const client = await createConnection({ host, port, user, password });
  try {
    return (await client.query<RowDataPacket[]>(sql))[0];
  } finally {
    client.destroy();
  }
}

async function testFolder(): Promise<string> {
  const folder = await temporaryFolder('replicas');
  onTestFinished(folder.remove);
  return folder.path;
}
