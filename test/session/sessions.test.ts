import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { setUserDisabled } from '../../shared/account/change.ts';
import { mintSession, newUserId } from '../../shared/session/token.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

describe('sessions of a user', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });

  const newPerson = (): string => `openid-${randomBytes(6).toString('hex')}`;
  /** By WeChat, because a login by password also computes a slow hash. */
  const logIn = async (person = newPerson(), at = app): Promise<string> => {
    const answer = await stack.call(at, 'POST', '/login/wechat', { body: { code: stack.wechat.issueCode(person) } });
    expect(answer.status).toBe(200);
    return answer.body.token;
  };
  const call = (method: string, path: string, session: string, body?: unknown, at = app) =>
    stack.call(at, method, path, { session, ...(body !== undefined && { body }) });
  const me = (session: string, at = app) => call('GET', '/me', session, undefined, at);
  const codeOf = async (session: string, at = app): Promise<string> => (await me(session, at)).body.code ?? 'alive';

  test('a session that was logged out is refused from the next request on, also when Redis lost its data', async () => {
    const session = await logIn();
    expect((await me(session)).status).toBe(200);
    expect((await call('POST', '/logout', session)).status).toBe(204);
    expect(await me(session)).toMatchObject({ status: 401, body: { code: 'SESSION_REVOKED' } });
    await stack.flush();
    expect(await codeOf(session)).toBe('SESSION_REVOKED');
    await stack.mysql.query('UPDATE sessions SET ended_at = ended_at - INTERVAL 25 HOUR WHERE ended_at IS NOT NULL');
    await stack.flush();
    expect(await codeOf(session)).toBe('LOGIN_EXPIRED');
  });

  test('a repeated call with an ended session costs one request to Redis', async () => {
    const session = await logIn();
    await call('POST', '/logout', session);
    await me(session);
    await stack.resetCounters();
    expect(await codeOf(session)).toBe('SESSION_REVOKED');
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
  });

  test('logging out everywhere ends all sessions of the user at this app', async () => {
    const person = newPerson();
    const other = await stack.createApp();
    const [phone, tablet, elsewhere] = [await logIn(person), await logIn(person), await logIn(person, other)];
    expect((await call('POST', '/logout', phone, { all: true })).status).toBe(204);
    expect([await codeOf(phone), await codeOf(tablet)]).toEqual(['SESSION_REVOKED', 'SESSION_REVOKED']);
    expect(await codeOf(elsewhere, other)).toBe('alive');
  });

  test('a device list shows ids and no tokens, and one device can log out another', async () => {
    const person = newPerson();
    const [phone, tablet] = [await logIn(person), await logIn(person)];
    const { sessions } = (await call('GET', '/sessions', phone)).body;
    expect(sessions).toHaveLength(2);
    const other = sessions.find(({ current }: { current: boolean }) => !current);
    expect(Object.keys(other).sort()).toEqual(['createdAt', 'current', 'device', 'id', 'lastSeenAt', 'network']);
    for (const token of [phone, tablet]) expect(JSON.stringify(sessions)).not.toContain(token.split('.')[2]);
    expect((await call('DELETE', `/sessions/${other.id}`, phone)).status).toBe(204);
    expect([await codeOf(tablet), await codeOf(phone)]).toEqual(['SESSION_REVOKED', 'alive']);
    expect(await call('DELETE', `/sessions/${other.id}`, phone)).toMatchObject({ status: 404 });
  });

  test('a user cannot end a session of another user', async () => {
    const [mine, theirs] = [await logIn(), await logIn()];
    const { sessions } = (await call('GET', '/sessions', theirs)).body;
    for (const id of [sessions[0].id, 'f'.repeat(32), 'x', '__proto__']) {
      expect(await call('DELETE', `/sessions/${id}`, mine)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    }
    expect(await codeOf(theirs)).toBe('alive');
  });

  test('a user can end all other sessions at once, and the current one stays valid', async () => {
    const person = newPerson();
    const [phone, ...others] = [await logIn(person), await logIn(person), await logIn(person)];
    for (const session of others) await me(session);
    expect((await call('DELETE', '/sessions', phone as string)).status).toBe(204);
    for (const session of others) expect(await codeOf(session)).toBe('SESSION_REVOKED');
    expect(await codeOf(phone as string)).toBe('alive');
  });

  test('a login at an eleventh device ends the least recently used session', async () => {
    const person = newPerson();
    const devices: string[] = [];
    for (let i = 0; i < 10; i++) devices.push(await logIn(person));
    for (const session of devices) expect(await codeOf(session)).toBe('alive');
    devices.push(await logIn(person));
    const codes = await Promise.all(devices.map((session) => codeOf(session)));
    expect(codes).toEqual(['SESSION_REVOKED', ...Array(10).fill('alive')]);
    expect((await call('GET', '/sessions', devices[10] as string)).body.sessions).toHaveLength(10);
  });

  test('30 logins of a user at the same time leave ten sessions', async () => {
    const person = newPerson();
    await logIn(person);
    const devices = await Promise.all(Array.from({ length: 30 }, () => logIn(person)));
    const codes = await Promise.all(devices.map((session) => codeOf(session)));
    expect(codes.filter((code) => code === 'alive')).toHaveLength(10);
    const alive = devices.find((_, index) => codes[index] === 'alive') as string;
    expect((await call('GET', '/sessions', alive)).body.sessions).toHaveLength(10);
  });

  test('a disabled user is refused from the next request on at every app, and cannot log in', async () => {
    const person = newPerson();
    const other = await stack.createApp();
    const [here, there] = [await logIn(person), await logIn(person, other)];
    const { userId } = (await me(here)).body;
    await me(there, other);
    await setUserDisabled(userId, true);
    expect([await codeOf(here), await codeOf(there, other)]).toEqual(['SESSION_REVOKED', 'SESSION_REVOKED']);
    const refused = await stack.call(app, 'POST', '/login/wechat', { body: { code: stack.wechat.issueCode(person) } });
    expect(refused).toMatchObject({ status: 401, body: { code: 'BAD_CREDENTIALS' } });
    await setUserDisabled(userId, false);
    expect(await codeOf(here)).toBe('SESSION_REVOKED');
    expect(await codeOf(await logIn(person))).toBe('alive');
    await expect(setUserDisabled(newUserId(), true)).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });

  test('a session is valid only at the app where it was opened', async () => {
    const session = await logIn();
    const other = await stack.createApp();
    await me(session, other).catch(() => undefined);
    await stack.resetCounters();
    expect(await me(session, other)).toMatchObject({ status: 401, body: { code: 'LOGIN_EXPIRED' } });
    expect(await stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });

  test('a missing, incomplete or forged token gets LOGIN_REQUIRED, and no engine is asked', async () => {
    const session = await logIn();
    await me(session);
    const [kind, userId = '', secret = ''] = session.split('.');
    const changed = (index: number) => {
      const bytes = Buffer.from(secret, 'base64url');
      bytes[index] = (bytes[index] ?? 0) ^ 1;
      return `${kind}.${userId}.${bytes.toString('base64url')}`;
    };
    const forged = [
      ...[0, 15, 16, 23, 24, 31].map(changed),
      '',
      'Bearer',
      `${kind}.${userId}`,
      `${kind}.${userId}.`,
      `${session}A`,
      `${session} x`,
      `p1.${userId}.${secret}`,
      `${kind}.${newUserId()}.${secret}`,
      `${kind}.${userId}.${randomBytes(32).toString('base64url')}`,
      `${kind}.__proto__.${secret}`,
      `${kind}.${userId}.${secret.slice(0, -1)}=`,
      'x'.repeat(4_000),
    ];
    await stack.resetCounters();
    for (const token of forged) {
      expect(await me(token), token.slice(0, 80)).toMatchObject({ status: 401, body: { code: 'LOGIN_REQUIRED' } });
    }
    expect(await stack.call(app, 'GET', '/me')).toMatchObject({ status: 401, body: { code: 'LOGIN_REQUIRED' } });
    expect(await stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });

  test('a token that was never issued but has a valid MAC gets LOGIN_EXPIRED', async () => {
    const { token } = mintSession(app.appId, newUserId());
    expect(await me(token)).toMatchObject({ status: 401, body: { code: 'LOGIN_EXPIRED' } });
    await stack.resetCounters();
    expect(await codeOf(token)).toBe('LOGIN_EXPIRED');
    expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 0 });
  });

  test('the text of LOGIN_EXPIRED is in the language that the client asked for', async () => {
    const { token } = mintSession(app.appId, newUserId());
    const answer = await stack.call(app, 'GET', '/me', { session: token, headers: { 'accept-language': 'zh-CN,zh' } });
    expect(answer.body).toMatchObject({ code: 'LOGIN_EXPIRED', detail: '登录已过期，请重新登录。' });
    expect((await me(token)).body.detail).toBe('Login expired, log in again.');
  });
});
