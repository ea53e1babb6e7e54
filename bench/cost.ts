import { randomBytes, randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@planetscale/database';
import { Redis } from 'ioredis';
import { startBackend } from '../local/backend.ts';
import { startMysql, startRedis } from '../local/engines/engines.ts';
import { newKeys } from '../local/keys-file.ts';
import { admit } from '../shared/admission/admission.ts';
import type { AdmissionRequest, CacheRead } from '../shared/admission/request.ts';
import { FILTER_SHARDS, FILTER_SIZES, filterCheck, liveKey } from '../shared/cache/existence-filter.ts';
import { resourceKey } from '../shared/data/records.ts';
import { getResource } from '../shared/data/resources.ts';
import type { LockRule } from '../shared/lock/rule.ts';
import { settlePayment } from '../shared/recharge/payment.ts';
import { sessionKey, userVersionKey } from '../shared/swept-keys.ts';
import { makeOrders, makeUsers } from './recharge.ts';

/** What stays in Redis for a call, a rule, an id, a session and an order, and what each costs Redis. */
export const suite = {
  name: 'cost',
  about: 'bytes, commands and microseconds of Redis for a call, a rule, an id, a session and an order',
  run: measureCosts,
};

const CALLS = 4_000;
const PARALLEL = 16;
/** Calls are stamped as if they had come at this rate, so that their records share hashes. */
const PER_SECOND = 200;
const LISTED = 100;
const ORDERS = 2_000;
const HOUR_MS = 3_600_000;

interface Figures {
  bytes: number;
  commands: number;
  us: number;
}

async function measureCosts() {
  const directory = await mkdtemp(join(tmpdir(), 'miniapp-bench-cost-'));
  const server = await startRedis({ directory: join(directory, 'redis') });
  const mysql = await startMysql({ directory: join(directory, 'mysql') });
  const { host, port, user, password } = mysql;
  const backend = await startBackend({
    redis: { host: server.host, port: server.port },
    mysql: { host, port, user, password, database: 'bench' },
    keys: newKeys(),
    seeded: false,
    env: { LOG: 'off', REDIS_TIMEOUT_MS: '20000', MYSQL_TIMEOUT_MS: '20000' },
    log: () => {},
  });
  const redis = new Redis({ host: server.host, port: server.port });
  try {
    const client = new Client({ url: backend.planetscale.url });
    const rows = [...(await costsOfCalls(redis)), await costOfSession(redis), await costOfOrder(redis, client)];
    return { redis: server.version, rows };
  } finally {
    redis.disconnect();
    await backend.stop();
    await mysql.stop();
    await server.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

const row = (what: string, { bytes, commands, us }: Figures) => ({
  what,
  'bytes that stay': Math.round(bytes),
  commands: Number(commands.toFixed(2)),
  us: Number(us.toFixed(1)),
});

/** `calls`: how many of each kind are measured. */
export async function costsOfCalls(redis: Redis, calls = CALLS) {
  const rule: LockRule = { name: 'b', by: ['user'], limit: 1e6, windowSeconds: 600, count: 'call', onError: 'open' };
  await storeCopy(redis, 0);
  await redis.set(noticeKey('1'), storedValue({ id: '1', title: 'x'.repeat(800) }), 'PX', HOUR_MS);
  await makeFilter(redis);
  const call = await measure(redis, calls, () => requestOf());
  const more = (figures: Figures, each = 1): Figures => ({
    bytes: (figures.bytes - call.bytes) / each,
    commands: (figures.commands - call.commands) / each,
    us: (figures.us - call.us) / each,
  });
  const withRule = (i: number): AdmissionRequest => ({
    ...requestOf(),
    targets: [{ name: 'GET /bench', rules: [rule] }],
    identities: { app: 'bench', user: `user-${i}` },
  });
  const session = { mode: 'check' as const, ...copyKeys(0), idleMs: 604_800_000, graceMs: 86_400_000 };
  return [
    row('a call, v2', call),
    row('a call, v1', await measure(redis, calls, () => requestOf(1))),
    row('and a session', more(await measure(redis, calls, () => ({ ...requestOf(), session })))),
    row('and a lock rule, for a new caller', more(await measure(redis, calls, withRule))),
    row(
      'and an id that is cached, in a list of 100',
      more(await measure(redis, calls, () => ({ ...requestOf(), reads: listOf(() => '1') }), LISTED), LISTED),
    ),
    row(
      'and an absent id, in a list of 100',
      more(
        await measure(redis, calls, () => ({ ...requestOf(), reads: listOf((i) => String(1_000 + i)) }), LISTED),
        LISTED,
      ),
    ),
  ];
}

/**
 * Bytes and commands for each call, and the time of the script. A call of `weight` is made less often. The first call is
 * stamped with a multiple of ten seconds: how records spread over the hashes of ten seconds decides their size.
 */
async function measure(
  redis: Redis,
  kindCalls: number,
  request: (i: number) => AdmissionRequest,
  weight = 1,
): Promise<Figures> {
  const calls = Math.ceil(kindCalls / Math.sqrt(weight));
  const begin = 10 * Math.floor((Date.now() / 1000 - calls / PER_SECOND) / 10);
  const send = (i: number): Promise<unknown> => {
    const made = request(i);
    const timeStamp = begin + Math.floor(Math.max(0, i) / PER_SECOND);
    return admit({ ...made, token: { ...made.token, timeStamp } });
  };
  await inParallel(200, (i) => send(-1 - i));
  const before = await usedMemory(redis);
  await redis.config('RESETSTAT');
  await inParallel(calls, send);
  const stats = await redis.info('commandstats');
  const commands = [...stats.matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)]
    .filter(([, name = '']) => !/^(eval|evalsha|script|info|config|client|hello|select)\b/.test(name))
    .reduce((sum, [, , times]) => sum + Number(times), 0);
  const us = Number(/^cmdstat_evalsha:.*?usec_per_call=([\d.]+)/m.exec(stats)?.[1]);
  return { bytes: ((await usedMemory(redis)) - before) / calls, commands: commands / calls, us };
}

const requestOf = (version: 1 | 2 = 2): AdmissionRequest => ({
  requestId: randomUUID(),
  token: {
    appId: 'bench',
    keyId: 'k',
    signature: randomBytes(version === 2 ? 32 : 20).toString('hex'),
    nonce: randomUUID(),
    timeStamp: 0,
    version,
  },
  unsafe: false,
  targets: [],
  identities: { app: 'bench' },
  reads: [],
});

const noticeKey = (id: string) => resourceKey(getResource('notice'), id);
const listOf = (id: (i: number) => string): CacheRead[] =>
  Array.from({ length: LISTED }, (_, i) => ({ key: noticeKey(id(i)), filter: filterCheck('notice', id(i)) }));

/** An empty filter of the smallest size: it calls every id absent. */
async function makeFilter(redis: Redis): Promise<void> {
  const [size = 12] = FILTER_SIZES;
  const shard = Buffer.concat([Buffer.from([size]), Buffer.alloc(2 ** size / 8)]);
  for (let i = 0; i < FILTER_SHARDS; i++) await redis.set(liveKey('notice', i), shard, 'PX', HOUR_MS);
}

const storedValue = (value: unknown): string => `J1;${Date.now() + 30 * 24 * HOUR_MS};1;1;;${JSON.stringify(value)}`;
const copyKeys = (i: number) => ({
  sessionKey: sessionKey('bench', 'u'.repeat(22), i.toString(16).padStart(32, '0')),
  userKey: userVersionKey('u'.repeat(22)),
});

async function storeCopy(redis: Redis, i: number): Promise<void> {
  const { sessionKey: key, userKey } = copyKeys(i);
  const user = {
    userId: 'u'.repeat(22),
    account: 'somebody',
    wechatOpenid: null,
    profile: { nickname: 'somebody' },
    fields: {},
    sessionId: i.toString(16).padStart(32, '0'),
    version: 1,
    sessionEndsAt: '2026-12-31T00:00:00.000Z',
  };
  await redis.set(key, storedValue(user), 'PX', 691_200_000);
  await redis.set(userKey, storedValue(1), 'PX', 691_200_000);
}

async function costOfSession(redis: Redis) {
  const before = await usedMemory(redis);
  for (let i = 1; i <= 1_000; i++) await storeCopy(redis, i);
  return row('the copy of a session, while it lives', {
    bytes: ((await usedMemory(redis)) - before) / 1_000,
    commands: 0,
    us: 0,
  });
}

/** Placing and paying an order, beside the calls that it takes. Only MySQL keeps orders. */
async function costOfOrder(redis: Redis, client: Client) {
  await makeUsers(client);
  const payments = await makeOrders(client, 'cost', ORDERS);
  const before = await usedMemory(redis);
  await redis.config('RESETSTAT');
  await inParallel(ORDERS, (i) => settlePayment(payments[i] as (typeof payments)[number]));
  const stats = await redis.info('commandstats');
  const deletes = Number(/^cmdstat_del:calls=(\d+)/m.exec(stats)?.[1] ?? 0);
  const us = Number(/^cmdstat_del:.*?usec_per_call=([\d.]+)/m.exec(stats)?.[1] ?? 0);
  return row('an order that is paid, beside its calls', {
    bytes: Math.max(0, (await usedMemory(redis)) - before) / ORDERS,
    commands: deletes / ORDERS,
    us,
  });
}

/** The memory of keys and values, without the buffers of connections, which grow and shrink with the load. */
async function usedMemory(redis: Redis): Promise<number> {
  const stats = pairsOf((await redis.call('MEMORY', 'STATS')) as unknown[]);
  const tables = pairsOf((stats.get('db.0') ?? []) as unknown[]);
  return [stats.get('dataset.bytes'), ...tables.values()].reduce<number>((sum, bytes) => sum + Number(bytes), 0);
}

const pairsOf = (flat: unknown[]): Map<unknown, unknown> =>
  new Map(flat.flatMap((name, i) => (i % 2 === 0 ? [[name, flat[i + 1]] as const] : [])));

async function inParallel(times: number, work: (i: number) => Promise<unknown>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < times) await work(next++);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}
