import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { resourceKey } from '../../shared/data/records.ts';
import { getResource } from '../../shared/data/resources.ts';
import { encodePolicy, policyKey } from '../../shared/lock/policy.ts';
import { warmCache } from '../../shared/upkeep/every-minute.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { type Counters, startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** The budgets of docs/architecture.md for reads: requests, statements, and commands, counted also inside scripts. */
let stack: TestStack;
let app: TestApp;
let session: string;
beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
  const sessions = sessionsOf(stack, app);
  const own = await sessions.open();
  session = own.token;
  await stack.mysql.query(
    `INSERT INTO vouchers (id, user_id, title, amount_fen, expires_at) VALUES (1, ?, 't', 100, NOW(3) + INTERVAL 1 DAY)`,
    [own.userId],
  );
  await stack.mysql.query(
    `INSERT INTO notices (id, title, body, published_at) VALUES (1, 't', 'b', NOW(3)), (2, 't', ?, NOW(3))`,
    [Array.from({ length: 6_000 }, (_, i) => String.fromCharCode(0x4e00 + ((i * 7_919) % 20_000))).join('')],
  );
  await read('voucher/1');
  await read('notice/1');
});
beforeEach(async () => {
  await stack.redis.del(...['voucher', 'notice'].flatMap((name) => [1, 2, 9].map((id) => keyOf(name, id))));
});

const keyOf = (name: string, id: number) => resourceKey(getResource(name), String(id));
const read = (target: string) => {
  const [path, query = ''] = target.split('?');
  return stack.call(app, 'GET', `/data/${path}`, { session, query });
};
async function cost(path: string): Promise<Counters & { cache: string | null; status: number }> {
  await stack.resetCounters();
  const { headers, status } = await read(path);
  return { ...(await stack.counters()), cache: headers.get('x-cache'), status };
}

describe('a signed read with login, lock rules and cache', () => {
  test('costs one request and at most 8 commands on a hit and on a null marker', async () => {
    for (const [path, cache] of [
      ['voucher/1', 'hit'],
      ['voucher/9', 'null'],
    ] as const) {
      await read(path);
      const calls = [await cost(path), await cost(path), await cost(path)];
      for (const spent of calls) expect(spent).toMatchObject({ redisRequests: 1, mysqlRequests: 0, cache });
      // The first call of a time window begins the window's counter, with a command of its own.
      expect(Math.min(...calls.map(({ redisCommands }) => redisCommands))).toBeLessThanOrEqual(8);
    }
  });

  test('costs two requests and one statement on a miss', async () => {
    expect(await cost('voucher/1')).toMatchObject({ redisRequests: 2, mysqlRequests: 1, cache: 'miss' });
    expect(await cost('voucher/9')).toMatchObject({ redisRequests: 2, mysqlRequests: 1, status: 404 });
  });

  test('costs one request also for a value of many kilobytes', async () => {
    const whole = (await read('notice/2')).body;
    const spent = await cost('notice/2');
    expect(spent).toMatchObject({ redisRequests: 1, mysqlRequests: 0, cache: 'hit' });
    expect(spent.byCommand).toMatchObject({ get: 1, getrange: 1 });
    expect((await read('notice/2')).body).toEqual(whole);
  });

  test('of many ids costs one request when all are cached, else two requests and one statement', async () => {
    expect(await cost('notice?ids=1,2,9,1')).toMatchObject({ redisRequests: 2, mysqlRequests: 1, cache: 'miss' });
    expect(await cost('notice?ids=1,2,9,1')).toMatchObject({ redisRequests: 1, mysqlRequests: 0, cache: 'hit' });
  });

  test('costs at most two more commands for each lock rule of an operator', async () => {
    await read('voucher/1');
    const { redisCommands } = await cost('voucher/1');
    const rules = [['app'], ['user'], ['ip']].map((by) => ({ by: by as ['app'], limit: 1_000, windowSeconds: 60 }));
    const policy = { version: 1, generation: 0, blocks: [], rules };
    await stack.redis.set(policyKey('data:voucher'), encodePolicy(policy), 'PX', 60_000);
    expect(await cost('voucher/1')).toMatchObject({ redisRequests: 2 });
    const spent = await cost('voucher/1');
    expect(spent).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
    expect(spent.redisCommands).toBeLessThanOrEqual(redisCommands + 2 * 3);
  });

  test('costs one request when it is locked, and none while the process remembers the denial', async () => {
    const rules = [{ by: ['app' as const], limit: 1, windowSeconds: 60 }];
    await stack.redis.set(
      policyKey('data:notice'),
      encodePolicy({ version: 2, generation: 1, blocks: [], rules }),
      'PX',
      60_000,
    );
    await read('notice/1');
    expect(await cost('notice/1')).toMatchObject({ redisRequests: 1, mysqlRequests: 0, status: 429 });
    expect(await cost('notice/1')).toMatchObject({ redisRequests: 0, mysqlRequests: 0, status: 429 });
    await stack.redis.set(
      policyKey('data:notice'),
      encodePolicy({ version: 3, generation: 2, blocks: [], rules: [] }),
      'PX',
      60_000,
    );
  });

  test('costs one request when it is a replay', async () => {
    const headers = stack.sign(app, 'GET', '/data/voucher/1', { session });
    await stack.send('GET', '/data/voucher/1', headers);
    await stack.resetCounters();
    expect((await stack.send('GET', '/data/voucher/1', headers)).body.code).toBe('REPLAYED');
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
  });

  test('costs one more command with the existence filter, which stores nothing for absent ids', async () => {
    const run = () => warmCache({ stopAt: Date.now() + 60_000, settleMs: 0 });
    await run();
    expect((await run()).filters.voucher).toBe('swapped');
    // The sweep deleted the copy of the session. This read loads it again.
    await read('voucher/1');
    await stack.redis.del(keyOf('voucher', 9));
    const spent = await cost('voucher/9');
    expect(spent).toMatchObject({ redisRequests: 1, mysqlRequests: 0, status: 404, cache: 'null' });
    // Absent ids are charged as misses, which is one command more.
    expect(spent.byCommand).toMatchObject({ bitfield_ro: 1 });
    expect(spent.redisCommands).toBeLessThanOrEqual(12);
    expect(await stack.redis.exists(keyOf('voucher', 9))).toBe(0);
  });

  test('of another user’s record gets the same answer as a read of an absent record', async () => {
    const stranger = (await sessionsOf(stack, app).open()).token;
    const answers = await Promise.all(
      ['1', '9'].map((id) => stack.call(app, 'GET', `/data/voucher/${id}`, { session: stranger })),
    );
    const [theirs, absent] = answers.map(({ status, headers, body }) => ({
      status,
      cache: headers.get('x-cache'),
      body: { ...body, requestId: '' },
    }));
    expect(theirs).toEqual(absent);
    expect(theirs).toMatchObject({ status: 404, cache: 'null' });
  });
});
