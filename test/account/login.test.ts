import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { insertAccount, KNOWN_PASSWORD as PASSWORD } from '../support/known-accounts.ts';
import { startTestStack, type TestAnswer, type TestApp, type TestStack } from '../support/stack.ts';

const freshName = (): string => `user-${randomBytes(6).toString('hex')}`;

describe('logging in by account and password', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });

  const register = (account: string, password = PASSWORD, more = {}) =>
    stack.call(app, 'POST', '/accounts', { body: { account, password, ...more } });
  const logIn = (account: string, password = PASSWORD) =>
    stack.call(app, 'POST', '/login', { body: { account, password } });
  /** A login whose authorizer needs no request: the record of its new app was loaded just now, and is used for a minute. */
  async function loginAtFreshApp(account: string): Promise<() => Promise<TestAnswer>> {
    const fresh = await stack.createApp();
    const enter = () => stack.call(fresh, 'POST', '/login', { body: { account, password: PASSWORD } });
    expect((await enter()).status).toBe(200);
    return enter;
  }

  test('a registered user can log in, and the session token alone identifies the user', async () => {
    const account = freshName();
    const created = await register(account, PASSWORD, { profile: { nickname: '小林' } });
    expect(created).toMatchObject({ status: 201, body: { userId: expect.stringMatching(/^[A-Za-z0-9_-]{22}$/) } });
    const login = await logIn(account.toUpperCase());
    const user = { userId: created.body.userId, account, profile: { nickname: '小林' } };
    expect(login).toMatchObject({ status: 200, body: { token: expect.stringMatching(/^s1\./), user } });
    expect(Date.parse(login.body.expiresAt)).toBeGreaterThan(Date.now() + 29 * 86_400_000);
    const me = await stack.call(app, 'GET', '/me', { session: login.body.token });
    expect(me).toMatchObject({ status: 200, body: user });
    expect(Object.keys(me.body).sort()).toEqual(['account', 'phone', 'profile', 'userId']);
  });

  test('a login costs two requests to Redis and two to MySQL', async () => {
    const { account } = await insertAccount(stack.mysql);
    const enter = await loginAtFreshApp(account);
    await stack.resetCounters();
    expect((await enter()).status).toBe(200);
    expect(await stack.counters()).toMatchObject({ redisRequests: 2, mysqlRequests: 2 });
  });

  test('a read with a session costs one request to Redis and none to MySQL', async () => {
    const { account } = await insertAccount(stack.mysql);
    const session = (await logIn(account)).body.token;
    await stack.call(app, 'GET', '/me', { session });
    await stack.resetCounters();
    expect((await stack.call(app, 'GET', '/me', { session })).status).toBe(200);
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
  });

  test('account names that differ only in case are one account', async () => {
    const account = freshName();
    const answers = await Promise.all([account, account.toUpperCase(), account].map((name) => register(name)));
    expect(answers.map(({ status }) => status).sort()).toEqual([201, 409, 409]);
    expect(answers.find(({ status }) => status === 409)?.body.code).toBe('ACCOUNT_EXISTS');
  });

  test('an unknown account and a wrong password get the same answer', async () => {
    const { account } = await insertAccount(stack.mysql);
    const [wrong, unknown] = [await logIn(account, 'not-the-password'), await logIn(freshName(), 'not-the-password')];
    const comparable = ({ status, body, headers }: typeof wrong) => ({
      status,
      body: { ...body, requestId: '' },
      headers: [...headers.keys()].sort(),
    });
    expect(wrong).toMatchObject({ status: 401, body: { code: 'BAD_CREDENTIALS' } });
    expect(comparable(unknown)).toEqual(comparable(wrong));
  });

  test('a login succeeds when Redis fails after admission', async () => {
    const { account } = await insertAccount(stack.mysql);
    const enter = await loginAtFreshApp(account);
    let requests = 0;
    stack.faults.redis = () => (++requests > 1 ? { kind: 'drop-before' } : undefined);
    const login = await enter();
    stack.faults.redis = undefined;
    expect(login).toMatchObject({ status: 200, body: { user: { account } } });
    expect(requests).toBeGreaterThan(1);
  });
});
