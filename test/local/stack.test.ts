import { beforeAll, describe, expect, test } from 'vitest';
import { startTestStack, type TestStack } from '../support/stack.ts';

describe('the service over real engines', () => {
  let stack: TestStack;
  beforeAll(async () => {
    stack = await startTestStack({ emptyDatabase: true });
  });

  test('an app that is in the tables passes the authorizer', async () => {
    const app = await stack.createApp();
    const answer = await stack.call(app, 'GET', '/data/notice/1');
    expect([401, 403]).not.toContain(answer.status);
  });

  test('an invented AppID is refused without a request to an engine', async () => {
    const app = await stack.createApp();
    await stack.resetCounters();
    const stranger = { ...app, appId: `${app.appId.slice(0, -1)}${app.appId.endsWith('0') ? '1' : '0'}` };
    const answer = await stack.call(stranger, 'GET', '/data/notice/1');
    expect(answer).toMatchObject({ status: 403, body: { message: 'Forbidden' } });
    expect(await stack.counters()).toEqual({ redisRequests: 0, redisCommands: 0, byCommand: {}, mysqlRequests: 0 });
  });

  test('a call without an access-token is refused by the gateway', async () => {
    expect(await stack.send('GET', '/data/notice/1', {})).toMatchObject({
      status: 401,
      body: { message: 'Unauthorized' },
    });
  });

  test('commands are counted one by one, also inside a script', async () => {
    await stack.resetCounters();
    const { UPSTASH_REDIS_REST_URL = '', UPSTASH_REDIS_REST_TOKEN } = stack.env;
    const script = "redis.call('SET', KEYS[1], '1', 'PX', 60000) return redis.call('GET', KEYS[1])";
    const response = await fetch(UPSTASH_REDIS_REST_URL, {
      method: 'POST',
      headers: { authorization: `Bearer ${UPSTASH_REDIS_REST_TOKEN}` },
      body: JSON.stringify(['EVAL', script, 1, 'counted']),
    });
    expect(await response.json()).toEqual({ result: '1' });
    expect(await stack.counters()).toMatchObject({
      redisRequests: 1,
      redisCommands: 2,
      byCommand: { set: 1, get: 1 },
      mysqlRequests: 0,
    });
  });

  test('a gateway injects a fault until the fault is removed', async () => {
    const { UPSTASH_REDIS_REST_URL = '', UPSTASH_REDIS_REST_TOKEN } = stack.env;
    const ping = () =>
      fetch(`${UPSTASH_REDIS_REST_URL}/ping`, { headers: { authorization: `Bearer ${UPSTASH_REDIS_REST_TOKEN}` } });
    stack.faults.redis = () => ({ kind: 'status', status: 500, body: '<html>' });
    expect((await ping()).status).toBe(500);
    stack.faults.redis = undefined;
    expect((await ping()).status).toBe(200);
  });

  test('tokens signed before the first start pass, because no call was made before', async () => {
    const stamps = await stack.redis.keys('*:replay:since:*');
    expect(stamps).toHaveLength(16);
    expect(await stack.redis.pttl(stamps[0] ?? '')).toBeGreaterThan(0);
  });
});
