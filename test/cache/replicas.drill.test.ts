import { setTimeout as sleep } from 'node:timers/promises';
import { Client } from '@planetscale/database';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { startPlanetscaleGateway } from '../../gateway/planetscale/gateway.ts';
import { getResource } from '../../shared/data/resources.ts';
import { deleteResource, putResource } from '../../shared/data/write.ts';
import { seededRandom } from '../support/seeded.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

const DELAY_SECONDS = 2;
const SEED = 20_261_124;
const notice = getResource('notice');

let stack: TestStack;
/** Ten apps, because the lock rule on misses would refuse a single one. */
let apps: TestApp[];
let replica: Connection;
beforeAll(async () => {
  stack = await startTestStack({ ha: { replicaDelaySeconds: DELAY_SECONDS } });
  apps = await Promise.all(Array.from({ length: 10 }, () => stack.createApp()));
  const { host, port, user, password } = replicaServer();
  replica = await createConnection({ host, port, user, password });
  // The tables reach the replica after the same delay.
  await vi.waitFor(() => onReplica('SELECT 1 FROM stack.notices'), { timeout: 30_000, interval: 100 });
});
afterAll(() => replica.destroy());

function replicaServer() {
  const server = stack.highAvailability?.mysqlReplica;
  if (!server) throw new Error('no replica');
  return server;
}

const put = (id: string, version: number) =>
  putResource(notice, id, { title: `v${version}`, body: 'text', publishedAt: '2026-11-24T00:00:00Z' });

/** The version that a reader gets; 0 for an absent record. */
async function versionSeen(id: string): Promise<number> {
  const { status, body, text } = await stack.call(
    apps[Number(id) % apps.length] as TestApp,
    'GET',
    `/data/notice/${id}`,
  );
  if (status === 404) return 0;
  if (status !== 200) throw new Error(`${status} ${text}`);
  return Number(body.title.slice(1));
}

const onReplica = async (sql: string) => (await replica.query<RowDataPacket[]>(sql))[0];

test(`500 seeded races of writers and readers over a replica ${DELAY_SECONDS} s behind show no stale value`, async () => {
  const random = seededRandom(SEED);
  const ids = Array.from({ length: 20 }, (_, index) => String(1_000 + index));
  const races = ids.map((id) => ({ id, plans: Array.from({ length: 25 }, () => [random(), random(), random()]) }));
  const stale: string[] = [];
  let behind = 0;
  const race = async ({ id, plans }: (typeof races)[number]) => {
    let written = 0;
    let deletions = 0;
    const read = async (who: string) => {
      const [least, deletionsBefore] = [written, deletions];
      const version = await versionSeen(id);
      // A read at the same time as a deletion may get the state before or after it.
      const metDeletion = deletions > deletionsBefore;
      if (version < least && !(version === 0 && metDeletion))
        stale.push(`${who} of ${id}: v${version} after v${least}`);
    };
    for (const [index, [kind = 0, pause = 0, early = 0]] of plans.entries()) {
      const others = early < 0.5 ? [read('reader before')] : [];
      if (pause < 0.2) await sleep(pause * 50);
      const version = index + 1;
      // A record that is deleted and written again is the hardest case: the replica still has the old row.
      if (kind < 0.1 && written > 0) {
        deletions += 1;
        await deleteResource(notice, id);
        if ((await versionSeen(id)) !== 0) stale.push(`deleted ${id} is shown`);
      }
      await put(id, version);
      written = version;
      await Promise.all([read('writer'), read('reader'), ...others]);
      if (index % 3 === 0) {
        const [row] = await onReplica(`SELECT title FROM stack.notices WHERE id = ${id}`);
        if (row?.title !== `v${version}`) behind++;
      }
    }
  };
  await Promise.all(races.map(race));
  expect(stale).toEqual([]);
  expect(behind, 'samples in which the replica was behind').toBeGreaterThan(10);
}, 600_000);

test('a record that was not written lately is read from the replica', async () => {
  await stack.mysql.query(
    "INSERT INTO notices (id, title, body, published_at) VALUES (7, 'v1', 'text', '2026-11-24 00:00:00')",
  );
  await vi.waitFor(async () => expect(await onReplica('SELECT id FROM stack.notices WHERE id = 7')).toHaveLength(1), {
    timeout: 20_000,
    interval: 100,
  });
  const { origin } = new URL(stack.env.DATABASE_REPLICA_URL ?? '');
  const ready = async () => ((await (await fetch(`${origin}/ready`)).json()) as { replicas: unknown[] }).replicas[0];
  await vi.waitFor(async () => expect(await ready()).toMatchObject({ takesReads: true }), { timeout: 20_000 });
  // Only the replica has this version.
  await replica.query('SET SESSION sql_log_bin = 0');
  await replica.query("UPDATE stack.notices SET title = 'v66' WHERE id = 7");
  expect(await versionSeen('7')).toBe(66);
});

test('a replica that is too far behind or stopped gets no reads, and the primary answers them', async () => {
  const primary = { ...(stack.highAvailability?.mysql as ReturnType<typeof replicaServer>), database: 'stack' };
  const gateway = await startPlanetscaleGateway({
    primary,
    username: 'app',
    password: 'a',
    replicaUsername: 'reader',
    replicaPassword: 'r',
    replicas: [replicaServer()],
    replicaMaxLagSeconds: 1,
  });
  const ready = async () => {
    const answer = await fetch(`${new URL(gateway.url).origin}/ready`);
    const { replicas } = (await answer.json()) as { replicas: Array<Record<string, unknown>> };
    return { status: answer.status, replicas };
  };
  const reader = new Client({ url: gateway.replicaUrl ?? '' });
  const patience = { timeout: 20_000, interval: 100 };
  // Each write makes the replica two seconds behind.
  await vi.waitFor(async () => {
    await put('8', 1);
    await sleep(300);
    expect((await ready()).replicas[0]).toMatchObject({ takesReads: false, reason: expect.stringMatching(/s behind/) });
  }, patience);
  await expect(reader.execute('SELECT 1')).rejects.toThrow('no healthy tablet available');
  await vi.waitFor(async () => expect((await ready()).replicas[0]).toMatchObject({ takesReads: true }), patience);
  expect((await reader.execute("SELECT 'x' AS y")).rows).toEqual([{ y: 'x' }]);

  await replica.query('STOP SLAVE SQL_THREAD');
  await put('8', 2);
  await vi.waitFor(async () => expect((await ready()).replicas[0]).toMatchObject({ takesReads: false }), patience);
  expect((await ready()).status).toBe(200);
  expect(await versionSeen('8')).toBe(2);
  await put('9', 3);
  expect(await versionSeen('9')).toBe(3);
  await replica.query('START SLAVE SQL_THREAD');
  await vi.waitFor(async () => expect((await ready()).replicas[0]).toMatchObject({ takesReads: true }), patience);
  await gateway.stop();
}, 600_000);
