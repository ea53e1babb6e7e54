import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { clearTarget, setRule } from '../../shared/lock/admin.ts';
import { EVERY_CALL } from '../../shared/lock/default-rules.ts';
import { peekTarget } from '../../shared/lock/peek.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

describe('the rules of every route', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack({ seeded: true });
  });
  beforeEach(async () => {
    // A new app has no counts, and no process remembers a refusal of it.
    app = await stack.createApp();
  });

  const HERE = '127.0.0.1';
  const notice = (caller = app) => stack.call(caller, 'GET', '/data/notice/1');
  const policyOf = (answer: { headers: Headers }) => answer.headers.get('ratelimit-policy');
  const stateOf = async (rule: string, identities: { app?: string; ip?: string; user?: string }) =>
    (await peekTarget(EVERY_CALL, identities)).rules.find((state) => state.rule === rule);

  /** Brings every low count to `used`. */
  async function raise(used: number): Promise<void> {
    for (const key of await stack.redis.keys('*:lock:count:*')) {
      const [generation, count] = ((await stack.redis.get(key)) ?? '').split(';');
      if (Number(count) < 50) await stack.redis.set(key, `${generation};${used}`, 'KEEPTTL');
    }
  }

  test('count the calls of an app and address over all routes, and refuse with the name of the rule', async () => {
    await notice();
    await stack.call(app, 'GET', '/data/service', { query: 'ids=1,2' });
    await stack.call(app, 'POST', '/login/channel', { body: { channel: 'demo', channelUserId: 'u' } });
    expect(await stateOf('calls-by-address', { app: app.appId, ip: HERE })).toMatchObject({ used: 3, left: 2_397 });
    await raise(2_400);
    const refused = await notice();
    expect([refused.status, refused.body.code, policyOf(refused)]).toEqual([
      429,
      'LOCKED',
      '"calls-by-address";q=2400;w=60',
    ]);
    expect((await stack.call(app, 'GET', '/data/service/1')).status).toBe(429);
    expect((await notice(await stack.createApp())).status).toBe(200);
  });

  test('count the calls of a user over all routes and apps', async () => {
    const { token, userId } = await sessionsOf(stack, app).open();
    await stack.call(app, 'GET', '/me', { session: token });
    await stack.call(app, 'GET', '/sessions', { session: token });
    expect(await stateOf('calls-by-user', { user: userId })).toMatchObject({ used: 2 });
    expect(await stateOf('calls-by-address', { app: app.appId, ip: HERE })).toMatchObject({ used: 2 });
    await raise(1_200);
    const refused = await stack.call(app, 'GET', '/balance', { session: token });
    expect([refused.status, policyOf(refused)]).toEqual([429, '"calls-by-user";q=1200;w=60']);
    const other = await sessionsOf(stack, app).open();
    expect((await stack.call(app, 'GET', '/balance', { session: other.token })).status).toBe(200);
  });

  test('cost at most two commands for each call, with and without a user', async () => {
    const { token } = await sessionsOf(stack, app).open();
    for (const request of [{}, { session: token }]) {
      const read = () => stack.call(app, 'GET', '/data/service/1', request);
      await read();
      await stack.resetCounters();
      expect((await read()).status).toBe(200);
      const { byCommand, redisRequests } = await stack.counters();
      expect(redisRequests).toBe(1);
      // One SET is the replay record.
      expect((byCommand.set ?? 0) - 1).toBeLessThanOrEqual(2);
    }
  });

  test('refuse a flood without a request to Redis, so that it stores nothing', async () => {
    await notice();
    await raise(2_400);
    await notice();
    await stack.resetCounters();
    for (let i = 0; i < 50; i++) expect((await notice()).status).toBe(429);
    expect(await stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });

  test('are replaced by an operator’s rule of the same identities, which may allow more or less', async () => {
    const set = (limit: number) =>
      setRule({ target: '*', by: ['app', 'ip'], limit, windowSeconds: 60, lockSeconds: null }, 'test');
    await set(10_000);
    await notice();
    const { rules } = await peekTarget(EVERY_CALL, { app: app.appId, ip: HERE });
    expect(rules.map(({ rule, setBy }) => [rule, setBy])).toEqual([
      ['calls-by-user', 'code'],
      ['operator-app-ip', 'operator'],
    ]);
    await raise(5_000);
    expect((await notice()).status).toBe(200);
    await set(3);
    expect(policyOf(await notice())).toBe('"operator-app-ip";q=3;w=60');
    await clearTarget('*', 'test');
    const cleared = await stack.createApp();
    expect((await notice(cleared)).status).toBe(200);
    expect(await stateOf('calls-by-address', { app: cleared.appId, ip: HERE })).toMatchObject({ used: 1 });
  });

  test('with an operator’s rule by user do not count calls without a user together', async () => {
    await setRule({ target: '*', by: ['user'], limit: 2, windowSeconds: 60, lockSeconds: null }, 'test');
    for (let i = 0; i < 5; i++) expect((await notice()).status).toBe(200);
    await clearTarget('*', 'test');
  });

  test('do not count a route that declares its own limits', async () => {
    const plugin = await stack.createApp({ scopes: ['plugin:validate'], validates: 'shop' });
    const validate = () => stack.call(plugin, 'POST', '/plugins/shop/validate', { body: { pluginToken: 'p1.none' } });
    expect((await validate()).body).toEqual({ active: false });
    expect(await stateOf('calls-by-address', { app: plugin.appId, ip: HERE })).toMatchObject({ used: 0 });
  });
});
