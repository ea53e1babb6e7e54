import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { resourceKey } from '../../shared/data/records.ts';
import { getResource } from '../../shared/data/resources.ts';
import { encodePolicy, policyKey } from '../../shared/lock/policy.ts';
import { warmCache } from '../../shared/upkeep/every-minute.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { type Counters, startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** The budgets of docs/architecture.md that belong to reads: requests, commands inside scripts one by one, statements. */
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

describe('a read that is signed, replay-protected, logged in, locked and cached', () => {
  test('costs one request in all and at most 8 commands when it hits, and so does a null hit', async () => {
    for (const [path, cache] of [
      ['voucher/1', 'hit'],
      ['voucher/9', 'null'],
    ] as const) {
      await read(path);
      const paid = await cost(path);
      expect(paid).toMatchObject({ redisRequests: 1, mysqlRequests: 0, cache });
      expect(paid.redisCommands).toBeLessThanOrEqual(8);
    }
  });

  test('costs two requests and one statement when it misses', async () => {
    expect(await cost('voucher/1')).toMatchObject({ redisRequests: 2, mysqlRequests: 1, cache: 'miss' });
    expect(await cost('voucher/9')).toMatchObject({ redisRequests: 2, mysqlRequests: 1, status: 404 });
  });

  test('costs the same one request for a value of many kilobytes, which comes beside the script', async () => {
    const whole = (await read('notice/2')).body;
    const paid = await cost('notice/2');
    expect(paid).toMatchObject({ redisRequests: 1, mysqlRequests: 0, cache: 'hit' });
    expect(paid.byCommand).toMatchObject({ get: 1, getrange: 1 });
    expect((await read('notice/2')).body).toEqual(whole);
  });

  test('costs one request to many ids when all are there, two and one statement otherwise', async () => {
    expect(await cost('notice?ids=1,2,9,1')).toMatchObject({ redisRequests: 2, mysqlRequests: 1, cache: 'miss' });
    expect(await cost('notice?ids=1,2,9,1')).toMatchObject({ redisRequests: 1, mysqlRequests: 0, cache: 'hit' });
  });

  test('costs at most two commands more with each lock rule that an operator sets', async () => {
    await read('voucher/1');
    const { redisCommands } = await cost('voucher/1');
    const rules = [['app'], ['user'], ['ip']].map((by) => ({ by: by as ['app'], limit: 1_000, windowSeconds: 60 }));
    const policy = { version: 1, generation: 0, blocks: [], rules };
    await stack.redis.set(policyKey('data:voucher'), encodePolicy(policy), 'PX', 60_000);
    expect(await cost('voucher/1')).toMatchObject({ redisRequests: 2 });
    const paid = await cost('voucher/1');
    expect(paid).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
    expect(paid.redisCommands).toBeLessThanOrEqual(redisCommands + 2 * 3);
  });

  test('costs one request when it is locked, and none while that is remembered', async () => {
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

  test('costs one request when it is replayed', async () => {
    const headers = stack.sign(app, 'GET', '/data/voucher/1', { session });
    await stack.send('GET', '/data/voucher/1', headers);
    await stack.resetCounters();
    expect((await stack.send('GET', '/data/voucher/1', headers)).body.code).toBe('REPLAYED');
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
  });

  test('costs one command more with the existence filter, and then absent ids take no memory', async () => {
    const run = () => warmCache({ stopAt: Date.now() + 60_000, settleMs: 0 });
    await run();
    expect((await run()).filters.voucher).toBe('swapped');
    // The sweep had the session asked for again.
    await read('voucher/1');
    await stack.redis.del(keyOf('voucher', 9));
    const paid = await cost('voucher/9');
    expect(paid).toMatchObject({ redisRequests: 1, mysqlRequests: 0, status: 404, cache: 'null' });
    expect(paid.byCommand).toMatchObject({ bitfield_ro: 1 });
    expect(paid.redisCommands).toBeLessThanOrEqual(9);
    expect(await stack.redis.exists(keyOf('voucher', 9))).toBe(0);
  });

  test('of another’s record is the same answer as of an absent one, in every byte', async () => {
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
