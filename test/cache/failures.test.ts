import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { GatewayFault } from '../../gateway/faults.ts';
import { resourceKey } from '../../shared/data/records.ts';
import { getResource } from '../../shared/data/resources.ts';
import { encodePolicy, policyKey } from '../../shared/lock/policy.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** The failure policies of docs/architecture.md that concern reads, in the words of that page. */
let stack: TestStack;
let app: TestApp;
let session: string;
beforeAll(async () => {
  stack = await startTestStack({ env: { REDIS_TIMEOUT_MS: '1000' } });
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
  // An open circuit breaker lets one call through every two seconds.
  await expect.poll(async () => (await read('service/1')).status, { timeout: 20_000, interval: 300 }).toBe(200);
  await expect.poll(async () => (await read('service/1')).headers.get('x-cache'), { timeout: 20_000 }).toBe('hit');
});

const badGateway = (): GatewayFault => ({ kind: 'status', status: 502, body: '<html>bad gateway</html>' });
const read = (path: string, more = {}) => stack.call(app, 'GET', `/data/${path}`, more);
const keyOf = (id: number) => resourceKey(getResource('service'), String(id));
/** Makes the cached value stale. */
async function makeStale(id: number): Promise<void> {
  const stored = (await stack.redis.get(keyOf(id))) as string;
  await stack.redis.set(keyOf(id), stored.replace(/^(.1;)\d+/, '$11'), 'KEEPTTL');
}

describe('Redis is down, read route', () => {
  test('session and record come from MySQL', async () => {
    stack.faults.redis = badGateway;
    expect(await read('service/1')).toMatchObject({ status: 200, body: { id: '1', name: 'n' } });
    expect(await stack.call(app, 'GET', '/me', { session })).toMatchObject({ status: 200 });
  });

  test('replay cannot be checked, so only GET passes; a write route answers 503 UNAVAILABLE with Retry-After', async () => {
    stack.faults.redis = badGateway;
    const answer = await stack.call(app, 'POST', '/logout', { session, body: {} });
    expect(answer).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE', retryable: true } });
    expect(answer.headers.get('retry-after')).toBe('2');
  });

  test('blocks that this process knows stay in force', async () => {
    const block = { app: app.appId, user: '', ip: '', endsAt: Date.now() + 60_000 };
    const policy = (version: number, blocks = [block]) => encodePolicy({ version, generation: 0, rules: [], blocks });
    await stack.redis.set(policyKey('data:service'), policy(1), 'PX', 60_000);
    expect((await read('service/1')).status).toBe(429);
    stack.faults.redis = badGateway;
    expect((await read('service/1')).status).toBe(429);
    stack.faults.redis = undefined;
    await stack.redis.set(policyKey('data:service'), policy(2, []), 'PX', 60_000);
  });

  test('with a circuit breaker: after three failures Redis is not asked', async () => {
    stack.faults.redis = badGateway;
    for (let i = 0; i < 3; i++) await read('service/1');
    await stack.resetCounters();
    const answers = await Promise.all([read('service/1'), read('service/2')]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200]);
    expect((await stack.counters()).redisRequests).toBeLessThanOrEqual(1);
  });

  test('a call does not wait longer than its time limit when Redis hangs', async () => {
    stack.faults.redis = () => ({ kind: 'hang' });
    const startedAt = Date.now();
    expect((await read('service/1')).status).toBe(200);
    expect(Date.now() - startedAt).toBeLessThan(5_000);
  });
});

describe('MySQL is down', () => {
  test('a cached read is served, within the grace time also when stale', async () => {
    await makeStale(1);
    stack.faults.mysql = badGateway;
    const answer = await read('service/1');
    expect(answer).toMatchObject({ status: 200, body: { id: '1' } });
    expect(answer.headers.get('x-cache')).toBe('stale');
  });

  test('a miss answers 503, and nothing is cached, never a null marker', async () => {
    await stack.redis.del(keyOf(2));
    stack.faults.mysql = badGateway;
    const answer = await read('service/2');
    expect(answer).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    expect(answer.text).not.toMatch(/gateway|html|errno/i);
    expect(await stack.redis.get(keyOf(2))).toBe(null);
  });
});

describe('when the answer of Redis was lost', () => {
  test('the request is sent once more, and the call is admitted', async () => {
    let lost = 0;
    stack.faults.redis = () => (lost++ === 0 ? { kind: 'drop-after' } : undefined);
    expect(await read('service/1')).toMatchObject({ status: 200 });
    expect(lost).toBe(2);
  });
});
