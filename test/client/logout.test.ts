import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, wxLogin, wxTransport } from '../../client/miniapp-client.ts';
import { problem } from '../support/client-server.ts';
import { type WxStandIn, wxStandIn } from '../support/client-wx.ts';
import { APP_ID, type SessionServer, startSessionServer, userId } from '../support/session-server.ts';

let server: SessionServer;
let wx: WxStandIn;
beforeEach(async () => {
  server = await startSessionServer();
  wx = wxStandIn();
});
afterEach(() => server.close());

const right = { account: 'pete', password: 'right' };
function start(login: () => Promise<string> = wxLogin(wx)) {
  const now = () => server.now;
  return createClient({ baseUrl: server.url, appId: APP_ID, transport: wxTransport(wx), silentCode: login, now });
}
const turn = () => new Promise((resolve) => setImmediate(resolve));
const until = async (isTrue: () => boolean) => {
  while (!isTrue()) await turn();
};
const logins = () => server.routes().filter((route) => route.startsWith('POST /login'));
const code = (error: unknown) => (error as { code?: string }).code;
/** Answers of this route wait until the returned function is called. */
function hold(route: string): () => void {
  let release = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    release = resolve;
  });
  server.instead = async (call) => void (call.route === route && (await held));
  return release;
}
/** The user is logged out, and nothing that ran before logs in. */
async function expectLoggedOut(client: ReturnType<typeof start>, loginsBefore: number) {
  for (let i = 0; i < 20; i++) await turn();
  expect(await client.isLoggedIn()).toBe(false);
  expect(await client.me().catch(code)).toBe('LOGIN_REQUIRED');
  expect(logins()).toHaveLength(loginsBefore);
  expect([...server.alive]).toEqual([]);
}

describe('a logout', () => {
  it('as the first call after a day does not replace the session that it ends', async () => {
    await start().me();
    server.now += 25 * 3_600_000;
    const client = start();
    await client.logout();
    await expectLoggedOut(client, 1);
  });

  it('stops a silent login that waits for its code', async () => {
    let give = (_: string): void => undefined;
    const client = start(() => new Promise((resolve) => (give = resolve)));
    const call = client.me().catch(code);
    await turn();
    await client.logout();
    give('a code');
    expect(await call).toBe('LOGIN_REQUIRED');
    await expectLoggedOut(client, 0);
  });

  it('stops a login that waits for another one', async () => {
    const release = hold('POST /login/wechat');
    const client = start();
    const first = client.me().catch(code);
    await until(() => logins().length === 1);
    const waiting = client.login(right).catch(code);
    await client.logout();
    release();
    expect(await Promise.all([first, waiting])).toEqual(['LOGIN_REQUIRED', 'LOGIN_REQUIRED']);
    await expectLoggedOut(client, 1);
  });

  it('during a login: the session that it opened is ended on the server too', async () => {
    const release = hold('POST /login/wechat');
    const client = start();
    const first = client.me().catch(code);
    await until(() => logins().length === 1);
    await client.logout();
    release();
    expect(await first).toBe('LOGIN_REQUIRED');
    await until(() => server.routes().includes('POST /logout session'));
    await expectLoggedOut(client, 1);
  });

  it('is followed by a new login where the program asks for one, although the former is still running', async () => {
    const release = hold('POST /login/wechat');
    const client = start();
    const first = client.me().catch(code);
    await until(() => logins().length === 1);
    await client.logout();
    const again = client.loginWechat();
    release();
    expect(await first).toBe('LOGIN_REQUIRED');
    await again;
    expect((await client.me()).userId).toBe(userId('wechat-user'));
    expect(server.alive.size).toBe(1);
  });

  it('of all devices fails where the server no longer knew this session: the others may still be logged in', async () => {
    const client = start();
    await client.me();
    server.revokeAll();
    expect(await client.logout({ all: true }).catch(code)).toBe('SESSION_REVOKED');
    expect(await client.isLoggedIn()).toBe(false);
  });
});

describe('the deletion of the account', () => {
  const remove = (client: ReturnType<typeof start>) => client.deleteAccount({ code: 'c' });

  it('creates no new account: neither after it, nor by calls beside it', async () => {
    await start().me();
    server.now += 25 * 3_600_000;
    const client = start();
    let release = (): void => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    server.instead = async ({ route }) => {
      if (route !== 'DELETE /me') return undefined;
      server.revokeAll();
      await held;
      return { status: 204 };
    };
    const deleted = remove(client);
    await until(() => server.routes().includes('DELETE /me session'));
    expect(await client.me().catch(code)).toBe('SESSION_REVOKED');
    release();
    await deleted;
    await expectLoggedOut(client, 1);
  });

  it('whose answer is lost logs out: the account may be gone', async () => {
    const client = start();
    await client.me();
    server.instead = ({ route }) => (route === 'DELETE /me' ? { status: 0, drop: true } : undefined);
    expect(await remove(client).catch(code)).toBe('NETWORK');
    server.revokeAll();
    await expectLoggedOut(client, 1);
  });

  it('that was refused changes nothing', async () => {
    const client = start();
    await client.me();
    server.instead = ({ route }) => (route === 'DELETE /me' ? problem(401, 'BAD_CREDENTIALS') : undefined);
    expect(await remove(client).catch(code)).toBe('BAD_CREDENTIALS');
    expect((await client.me()).userId).toBe(userId('wechat-user'));
    server.revokeAll();
    await client.me();
    expect(logins()).toHaveLength(2);
  });
});

describe('another user', () => {
  it('who logs in while a call waits does not get that call', async () => {
    const client = start();
    await client.me();
    server.revokeAll();
    server.wechatUser = 'somebody-else';
    const release = hold('POST /login/wechat');
    const spent = client.spend({ amount: 1 }).catch(code);
    await until(() => logins().length === 2);
    const login = client.login(right);
    release();
    expect(await spent).toBe('USER_CHANGED');
    await login;
    expect((await client.me()).userId).toBe(userId('pete'));
    expect(server.calls.filter(({ route }) => route === 'POST /balance/spend')).toHaveLength(1);
  });

  it('is the user after a login that a silent one follows', async () => {
    const client = start();
    await client.me();
    const release = hold('POST /login');
    const login = client.login(right);
    const silent = client.loginWechat();
    release();
    await login;
    await silent;
    expect((await client.me()).userId).toBe(userId('wechat-user'));
  });
});

it('an answer without a readable time says nothing about the session', async () => {
  const client = start();
  await client.me();
  server.instead = ({ route }) =>
    route === 'GET /me' ? { status: 403, body: { message: 'Forbidden' }, headers: { date: 'hidden' } } : undefined;
  expect(await client.me().catch(code)).toBe('FORBIDDEN');
  expect([await client.isLoggedIn(), logins().length]).toEqual([true, 1]);
});
