import { beforeAll, describe, expect, test } from 'vitest';
import { startTestStack, type TestApp, type TestStack } from './stack.ts';

describe('sessions of a user', () => {
  let stack: TestStack;
  let app: TestApp;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
  });

  /** No password hash in the way. */
  const logIn = async (person: string): Promise<string> => {
    const code = stack.wechat.issueCode(`openid-of-${person}`);
    return (await stack.call(app, 'POST', '/login/wechat', { body: { code } })).body.token;
  };
  const me = (session: string) => stack.call(app, 'GET', '/me', { session });
  const call = (method: string, path: string, session: string, body?: unknown) =>
    stack.call(app, method, path, { session, ...(body !== undefined && { body }) });

  test('a session that was logged out is dead with the next request', async () => {
    const session = await logIn('ann');
    expect((await me(session)).status).toBe(200);
    expect((await call('POST', '/logout', session)).status).toBe(204);
    expect(await me(session)).toMatchObject({ status: 401, body: { code: 'SESSION_REVOKED' } });
  });

  test('a device list shows ids and no token, and one device ends another', async () => {
    const [phone, tablet] = [await logIn('ben'), await logIn('ben')];
    const { sessions } = (await call('GET', '/sessions', phone)).body;
    expect(sessions).toHaveLength(2);
    const other = sessions.find(({ current }: { current: boolean }) => !current);
    expect(Object.keys(other).sort()).toEqual(['createdAt', 'current', 'device', 'id', 'lastSeenAt']);
    expect((await call('DELETE', `/sessions/${other.id}`, phone)).status).toBe(204);
    expect((await me(tablet)).body.code).toBe('SESSION_REVOKED');
    expect((await me(phone)).status).toBe(200);
    expect(await call('DELETE', `/sessions/${other.id}`, phone)).toMatchObject({ status: 404 });
  });
});
