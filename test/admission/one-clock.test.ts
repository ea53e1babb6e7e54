import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { startUpstashGateway, type UpstashGateway } from '../../gateway/upstash/gateway.ts';
import { type RedisServer, startRedis } from '../../local/engines/engines.ts';
import { SINCE_SHARDS, sinceKey } from '../../shared/admission/replay-record.ts';
import type { AdmissionRequest } from '../../shared/admission/request.ts';
import { readClocks } from '../../shared/clock.ts';
import { requestOf, verdictOf } from '../support/admission-call.ts';
import { atTime } from '../support/clock.ts';

/** Functions whose clock is wrong, over a real Redis that is killed and loses everything since its last snapshot. */
const SECOND = 1_000;
let folder: string;
let server: RedisServer;
let gateway: UpstashGateway;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'one-clock-'));
  server = await startRedis({ directory: folder, own: true });
  gateway = await startUpstashGateway({
    redis: { host: server.host, port: server.port },
    guard: { runKey: sinceKey('run'), sinceKeys: [...SINCE_SHARDS].map((shard) => sinceKey(shard)) },
    token: 'token',
  });
  Object.assign(process.env, {
    UPSTASH_REDIS_REST_URL: gateway.url,
    UPSTASH_REDIS_REST_TOKEN: 'token',
    DATABASE_URL: 'https://a:b@127.0.0.1/none',
    REDIS_TIMEOUT_MS: '20000',
    LOG: 'off',
  });
});
/** As after a first start: no token was used before, and nothing is known about the clocks of callers. */
beforeEach(async () => {
  const run = sinceKey('run');
  const known = String(await redis('GET', run));
  await redis('FLUSHALL');
  await redis('SET', run, known, 'PX', '86400000');
  for (const shard of SINCE_SHARDS) await redis('SET', sinceKey(shard), '1', 'PX', '86400000');
  await redis('SAVE');
});
afterAll(async () => {
  await gateway.stop();
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

/** How far the clock of the functions, and that of the caller who signs, is ahead of Redis' clock. */
interface Clocks {
  functions: number;
  caller: number;
}
const write = (caller: number): AdmissionRequest => {
  const request = requestOf([], { unsafe: true });
  return { ...request, token: { ...request.token, timeStamp: Math.floor(Date.now() / 1000) + caller } };
};
const again = (request: AdmissionRequest): AdmissionRequest => ({ ...requestOf([]), ...request, requestId: 'another' });
const send = async (request: AdmissionRequest, { functions }: Clocks): Promise<string> =>
  (await atTime(Date.now() + functions * SECOND, () => verdictOf(request))).verdict;

async function sendAll(requests: readonly AdmissionRequest[], clocks: () => Clocks): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const request of requests) {
    const verdict = await send(request, clocks());
    counts[verdict] = (counts[verdict] ?? 0) + 1;
  }
  return counts;
}
const writes = (count: number, caller: number) => Array.from({ length: count }, () => write(caller));

/** Kills Redis without a snapshot, starts it again, and waits until the gateway has found the new run. */
async function restartRedis(): Promise<void> {
  const { port } = server;
  process.kill(server.pid, 'SIGKILL');
  await server.stop();
  server = await startRedis({ directory: folder, port, own: true });
  const ready = async () => expect((await fetch(`${gateway.url}/get/x?_token=token`)).status).toBe(200);
  await vi.waitFor(ready, { timeout: 20 * SECOND });
}

const CASES: Array<[string, () => Clocks]> = [
  ['60 s behind, callers too', () => ({ functions: -60, caller: -60 })],
  ['60 s ahead, callers too', () => ({ functions: 60, caller: 60 })],
  ['60 s behind, callers right', () => ({ functions: -60, caller: 0 })],
  ['60 s ahead, callers right', () => ({ functions: 60, caller: 0 })],
  ['400 s behind, callers right', () => ({ functions: -400, caller: 0 })],
  ['mixed, callers right', () => ({ functions: [-60, 60, -400, 0][Math.floor(Math.random() * 4)] ?? 0, caller: 0 })],
];

describe.each(CASES)('with the clocks of functions %s', (_, clocks) => {
  test('no token is accepted twice and no new write is refused, also after a restart that lost writes', async () => {
    const { caller } = clocks();
    const kept = writes(20, caller);
    expect(await sendAll(kept, clocks)).toEqual({ admitted: 20 });
    expect(await sendAll(kept.map(again), clocks)).toEqual({ REPLAYED: 20 });
    await redis('SAVE');
    const lost = writes(20, caller);
    expect(await sendAll(lost, clocks)).toEqual({ admitted: 20 });
    await restartRedis();
    expect(await sendAll(lost.map(again), clocks)).not.toHaveProperty('admitted');
    expect(await sendAll(writes(20, caller), clocks)).toEqual({ admitted: 20 });
    expect(await sendAll([...kept, ...lost].map(again), clocks)).not.toHaveProperty('admitted');
  });
});

test('a token is not accepted twice after a restart when all calls before it were seconds on their way', async () => {
  const right = () => ({ functions: 0, caller: 0 });
  expect(await sendAll(writes(20, -4), right)).toEqual({ admitted: 20 });
  await redis('SAVE');
  const lost = writes(20, 0);
  expect(await sendAll(lost, right)).toEqual({ admitted: 20 });
  await restartRedis();
  expect(await sendAll(lost.map(again), right)).not.toHaveProperty('admitted');
});

async function redis(...command: string[]): Promise<unknown> {
  const { Redis } = await import('ioredis');
  const client = new Redis({ host: server.host, port: server.port });
  try {
    return await client.call(...(command as [string]));
  } finally {
    client.disconnect();
  }
}

describe('a time stamp', () => {
  test('more than 300 s off Redis’ clock is refused, whatever the clock of the function says, and is not used up', async () => {
    for (const functions of [0, -400, 400]) {
      for (const caller of [-400, -306, 306, 400]) {
        expect(await send(write(caller), { functions, caller })).toBe('token-refused');
      }
      for (const caller of [-295, 295]) expect(await send(write(caller), { functions, caller })).toBe('admitted');
    }
  });

  test('of a token that is 310 s old by Redis’ clock and 290 s by the function’s is refused each time', async () => {
    const old = write(-310);
    for (let i = 0; i < 4; i++) expect(await send(again(old), { functions: -20, caller: -310 })).toBe('token-refused');
  });
});

describe('an alarm clock-skew', () => {
  test('is raised beyond 5 s, at most once a minute, and names how far the clock is off', async () => {
    const lines = vi.spyOn(console, 'log').mockImplementation(() => {});
    process.env.LOG = 'on';
    const alarms = () => lines.mock.calls.map(([line]) => JSON.parse(line)).filter(({ level }) => level === 'alarm');
    try {
      // The process may have alarmed in a test before: a minute later it may again.
      for (const functions of [4, -4]) await send(requestOf([]), { functions, caller: 0 });
      expect(alarms()).toEqual([]);
      await send(requestOf([]), { functions: 3_600, caller: 0 });
      await send(requestOf([]), { functions: 3_610, caller: 0 });
      await send(requestOf([]), { functions: 3_661, caller: 0 });
      expect(alarms().map(({ code }) => code)).toEqual(['clock-skew', 'clock-skew']);
      expect(Math.abs(alarms()[0].skewMs - 3_600_000)).toBeLessThan(5_000);
    } finally {
      process.env.LOG = 'off';
      lines.mockRestore();
    }
  });

  test('is raised for each process, and portal health shows which clocks are off', async () => {
    await send(requestOf([]), { functions: 7_200, caller: 0 });
    const { skewMs, reports } = await readClocks();
    expect(Math.abs(skewMs)).toBeLessThan(5_000);
    expect(reports[0]?.who).toMatch(/^admission [0-9a-f]{6}$/);
    expect(Math.abs((reports[0]?.skewMs ?? 0) - 7_200_000)).toBeLessThan(60_000);
  });
});

describe('an engine that refuses TIME', () => {
  test('gives its clock by the end of a key: records, windows and sessions hold as before', async () => {
    await redis('ACL', 'SETUSER', 'default', '-time');
    const request = write(0);
    const clocks = { functions: 60, caller: 0 };
    expect(await send(request, clocks)).toBe('admitted');
    expect(await send(again(request), clocks)).toBe('REPLAYED');
    expect(await send(write(-400), clocks)).toBe('token-refused');
    await redis('DEL', ...[...SINCE_SHARDS].map((shard) => sinceKey(shard)));
    expect(await send(write(-20), clocks)).toBe('REPLAYED');
    expect(await send(write(1), clocks)).toBe('admitted');
    await redis('ACL', 'SETUSER', 'default', '+time');
  });
});
