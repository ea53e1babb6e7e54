import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GatewayFault } from '../../gateway/faults.ts';
import { resourceKey } from '../../shared/data/records.ts';
import { getResource } from '../../shared/data/resources.ts';
import { encodePolicy, policyKey } from '../../shared/lock/policy.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** The failure policy of docs/architecture.md, in its words, for what reads pass through. */
let stack: TestStack;
let app: TestApp;
let session: string;
beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
  session = (await sessionsOf(stack, app).open()).token;
  await stack.mysql.query(
    `INSERT INTO services (id, name, description, price_fen) VALUES (1, 'n', 'd', 1), (2, 'n', 'd', 1)`,
  );
  await read('service/1');
});
beforeEach(async () => {
  stack.faults.redis = undefined;
  stack.faults.mysql = undefined;
  // Breakers let one call through every two seconds.
  await expect.poll(async () => (await read('service/1')).status, { timeout: 20_000, interval: 300 }).toBe(200);
  await expect.poll(async () => (await read('service/1')).headers.get('x-cache'), { timeout: 20_000 }).toBe('hit');
});

const away = (): GatewayFault => ({ kind: 'status', status: 502, body: '<html>bad gateway</html>' });
const read = (path: string, more = {}) => stack.call(app, 'GET', `/data/${path}`, more);
const keyOf = (id: number) => resourceKey(getResource('service'), String(id));
/** The value stands, and wants to be refreshed. */
async function makeStale(id: number): Promise<void> {
  const stored = (await stack.redis.get(keyOf(id))) as string;
  await stack.redis.set(keyOf(id), stored.replace(/^(.1;)\d+/, '$11'), 'KEEPTTL');
}

describe('Redis away, read route', () => {
  test('session and record from MySQL', async () => {
    stack.faults.redis = away;
    expect(await read('service/1')).toMatchObject({ status: 200, body: { id: '1', name: 'n' } });
    expect(await stack.call(app, 'GET', '/me', { session })).toMatchObject({ status: 200 });
  });

  test('replay cannot be checked, so only safe methods pass; a write route answers 503 with Retry-After', async () => {
    stack.faults.redis = away;
    const answer = await stack.call(app, 'POST', '/logout', { session, body: {} });
    expect(answer).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE', retryable: true } });
    expect(answer.headers.get('retry-after')).toBe('2');
  });

  test('blocks that the process knows stand', async () => {
    const block = { app: app.appId, user: '', ip: '', endsAt: Date.now() + 60_000 };
    const policy = (version: number, blocks = [block]) => encodePolicy({ version, generation: 0, rules: [], blocks });
    await stack.redis.set(policyKey('data:service'), policy(1), 'PX', 60_000);
    expect((await read('service/1')).status).toBe(429);
    stack.faults.redis = away;
    expect((await read('service/1')).status).toBe(429);
    stack.faults.redis = undefined;
    await stack.redis.set(policyKey('data:service'), policy(2, []), 'PX', 60_000);
  });

  test('under a breaker: after three failures Redis is not asked', async () => {
    stack.faults.redis = away;
    for (let i = 0; i < 3; i++) await read('service/1');
    await stack.resetCounters();
    const answers = await Promise.all([read('service/1'), read('service/2')]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await stack.counters()).redisRequests).toBeLessThanOrEqual(1);
  });

  test('a Redis that hangs keeps no call longer than its limit', async () => {
    stack.faults.redis = () => ({ kind: 'hang' });
    const startedAt = Date.now();
    expect((await read('service/1')).status).toBe(200);
    expect(Date.now() - startedAt).toBeLessThan(5_000);
  });
});

describe('MySQL away', () => {
  test('a cached read is served, also stale inside the grace time', async () => {
    await makeStale(1);
    stack.faults.mysql = away;
    const answer = await read('service/1');
    expect(answer).toMatchObject({ status: 200, body: { id: '1' } });
    expect(answer.headers.get('x-cache')).toBe('stale');
  });

  test('a miss answers 503, and nothing is cached, never a null marker', async () => {
    await stack.redis.del(keyOf(2));
    stack.faults.mysql = away;
    const answer = await read('service/2');
    expect(answer).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    expect(answer.text).not.toMatch(/gateway|html|errno/i);
    expect(await stack.redis.get(keyOf(2))).toBe(null);
  });
});

describe('an answer that is lost', () => {
  test('has the call sent once more, which is admitted and charged once', async () => {
    let lost = 0;
    stack.faults.redis = () => (lost++ === 0 ? { kind: 'drop-after' } : undefined);
    expect(await read('service/1')).toMatchObject({ status: 200 });
    expect(lost).toBe(2);
  });
});
