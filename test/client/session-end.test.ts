import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, wxLogin, wxTransport } from '../../client/miniapp-client.ts';
import { problem } from '../support/client-server.ts';
import { type WxStandIn, wxStandIn } from '../support/client-wx.ts';
import { APP_ID, type ServedCall, type SessionServer, startSessionServer, userId } from '../support/session-server.ts';

let server: SessionServer;
let wx: WxStandIn;
let asked: string[];
beforeEach(async () => {
  server = await startSessionServer();
  wx = wxStandIn();
  asked = [];
});
afterEach(() => server.close());

function start(clockErrorSeconds = 0) {
  const onLoginRequired = ({ code }: { code: string }) => asked.push(code);
  const [transport, silentCode] = [wxTransport(wx), wxLogin(wx)];
  const now = () => server.now + clockErrorSeconds * 1000;
  return createClient({ baseUrl: server.url, appId: APP_ID, transport, silentCode, onLoginRequired, now });
}
const right = { account: 'anna', password: 'right' };
const refuseSession = (code: string) => {
  let left = 1;
  server.instead = ({ proof }) => (proof === 'session' && left-- > 0 ? problem(401, code) : undefined);
};
const sent = (route: string): ServedCall[] => server.calls.filter((call) => call.route === route);
const spend = { amount: 30, reason: 'sword' };

describe('a silent session that the server ended', () => {
  it.each(['LOGIN_EXPIRED', 'SESSION_REVOKED'])(
    'with %s: any method is repeated once, after a silent login',
    async (code) => {
      const client = start();
      await client.me();
      refuseSession(code);
      await client.spend(spend);
      await client.request('PUT', '/me', { body: { profile: {} } });
      const keys = sent('POST /balance/spend').map(({ headers }) => headers['idempotency-key']);
      expect(keys).toHaveLength(2);
      expect(keys[0]).toBe(keys[1]);
      expect(wx.codes).toHaveLength(2);
      expect(asked).toEqual([]);
    },
  );

  it('of five calls at once: one silent login, and all succeed', async () => {
    const client = start();
    await client.me();
    server.revokeAll();
    const users = await Promise.all([1, 2, 3, 4, 5].map(() => client.me()));
    expect(users.every((user) => user.userId === userId('wechat-user'))).toBe(true);
    expect(wx.codes).toHaveLength(2);
  });

  it('is not repeated a second time', async () => {
    const client = start();
    await client.me();
    server.instead = ({ proof }) => (proof === 'session' ? problem(401, 'SESSION_REVOKED') : undefined);
    await expect(client.me()).rejects.toMatchObject({ code: 'SESSION_REVOKED' });
    expect(sent('GET /me')).toHaveLength(3);
    expect(asked).toEqual(['SESSION_REVOKED']);
  });

  it('is never repeated as another user: USER_CHANGED, and nothing of the old user is sent any more', async () => {
    const client = start();
    await client.me();
    server.revokeAll();
    server.wechatUser = 'somebody-else';
    await expect(client.spend(spend)).rejects.toMatchObject({ code: 'USER_CHANGED', name: 'ApiError' });
    await expect(client.spend(spend)).rejects.toMatchObject({ code: 'USER_CHANGED' });
    expect(sent('POST /balance/spend')).toHaveLength(1);
    expect(await client.isLoggedIn()).toBe(false);
    expect((await start().me()).userId).toBe(userId('somebody-else'));
    await client.loginWechat();
    expect((await client.me()).userId).toBe(userId('somebody-else'));
  });

  it('does not make the deletion of an account run again', async () => {
    const client = start();
    await client.me();
    server.revokeAll();
    await expect(client.deleteAccount({ code: 'c' })).rejects.toMatchObject({ code: 'SESSION_REVOKED' });
    expect(sent('DELETE /me')).toHaveLength(1);
    expect(wx.codes).toHaveLength(1);
  });
});

describe('a session that a password opened', () => {
  it('is not replaced silently: the error goes to the caller, and the program is asked', async () => {
    const client = start();
    await client.login(right);
    server.revokeAll();
    await expect(client.me()).rejects.toMatchObject({ code: 'SESSION_REVOKED' });
    await expect(client.me()).rejects.toMatchObject({ code: 'LOGIN_REQUIRED' });
    expect(wx.codes).toEqual([]);
    expect(asked).toEqual(['SESSION_REVOKED', 'LOGIN_REQUIRED']);
  });

  it('after a change of the password is replaced by a login with the new one', async () => {
    const client = start();
    await client.login(right);
    const [former] = server.alive;
    await client.changePassword({ oldPassword: 'right', newPassword: 'newer' });
    expect(server.routes().slice(1)).toEqual(['PUT /me/password session', 'GET /me session', 'POST /login session']);
    expect(server.alive.has(former ?? '')).toBe(false);
    await client.me();
  });

  it('a failed login after a change of the password does not fail the change', async () => {
    const client = start();
    await client.login(right);
    server.instead = ({ route }) => (route === 'POST /login' ? problem(503, 'UNAVAILABLE') : undefined);
    await client.changePassword({ oldPassword: 'right', newPassword: 'newer' });
    expect((await client.me()).userId).toBe(userId('anna'));
  });
});

describe('403 with exactly {"message":"Forbidden"}', () => {
  const replaceSigningKey = () => {
    server.signingKey = 'ab'.repeat(32);
    server.alive.clear();
  };

  it('under a right clock: the session is forgotten, and one silent login makes a new one', async () => {
    const client = start();
    await client.me();
    replaceSigningKey();
    await Promise.all([client.me(), client.me(), client.spend(spend)]);
    expect(wx.codes).toHaveLength(2);
  });

  it('under a wrong clock only changes the clock', async () => {
    await start().me();
    await start(-3600).me();
    expect(wx.codes).toHaveLength(1);
  });

  it('for a password session: forgotten, and the program is asked', async () => {
    const client = start();
    await client.login(right);
    replaceSigningKey();
    await expect(client.me()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect([await client.isLoggedIn(), asked]).toEqual([false, ['FORBIDDEN']]);
  });

  it('for a login under the session: the login is sent once more, by name', async () => {
    const client = start();
    await client.me();
    replaceSigningKey();
    await client.login(right);
    expect((await client.me()).userId).toBe(userId('anna'));
  });

  it('of an app that is turned off: one silent login, then the error', async () => {
    const client = start();
    await client.me();
    server.instead = () => ({ status: 403, body: { message: 'Forbidden' } });
    await expect(client.me()).rejects.toMatchObject({ code: 'FORBIDDEN' });
    expect(sent('POST /login/wechat')).toHaveLength(2);
  });

  it.each([
    { status: 403, body: { message: 'Forbidden', by: 'a firewall' } },
    { status: 403, body: { message: 'blocked' } },
    problem(403, 'SCOPE_DENIED'),
  ])('any other 403 says nothing about the session: %o', async (refusal) => {
    const client = start();
    await client.me();
    server.instead = () => refusal;
    await expect(client.me()).rejects.toMatchObject({ status: 403 });
    expect([await client.isLoggedIn(), wx.codes.length]).toEqual([true, 1]);
  });
});

describe('a public client', () => {
  it('has no weaker way to sign: whatever is refused, it names the app or signs by the session', async () => {
    const client = start();
    await client.me();
    const refusals = [
      { status: 403, body: { message: 'Forbidden' } },
      problem(403, 'SIGNATURE_TOO_WEAK'),
      problem(401, 'LOGIN_REQUIRED'),
      problem(401, 'REPLAYED'),
    ];
    for (const refusal of refusals) {
      server.instead = ({ route }) => (route === 'GET /me' || route === 'PUT /me' ? refusal : undefined);
      await client.me().catch(() => undefined);
      await client.request('PUT', '/me', { body: {}, signature: 'v1' }).catch(() => undefined);
    }
    expect(server.calls.length).toBeGreaterThan(8);
    expect(server.calls.filter(({ proof }) => proof === 'forged')).toEqual([]);
    expect(server.calls.filter(({ headers }) => headers.authorization !== undefined)).toEqual([]);
  });
});

describe('a logout', () => {
  it('holds without a network, at once, and ends silent logins until the program asks for one', async () => {
    const client = start();
    await client.me();
    server.instead = () => ({ status: 0, drop: true });
    const logout = client.logout();
    expect(await client.isLoggedIn()).toBe(false);
    await expect(logout).rejects.toMatchObject({ code: 'NETWORK' });
    expect([...wx.encrypted.keys()]).toEqual([]);
    server.instead = () => undefined;
    await expect(client.me()).rejects.toMatchObject({ code: 'LOGIN_REQUIRED' });
    await client.loginWechat();
    expect((await client.me()).userId).toBe(userId('wechat-user'));
  });

  it('during a login opens no session', async () => {
    const client = start();
    await client.me();
    server.revokeAll();
    let logout: Promise<unknown> = Promise.resolve();
    server.instead = ({ route }) => {
      if (route === 'POST /login/wechat') logout = client.logout();
      return undefined;
    };
    await expect(client.me()).rejects.toMatchObject({ code: 'LOGIN_REQUIRED' });
    await logout;
    expect([await client.isLoggedIn(), wx.encrypted.size]).toEqual([false, 0]);
  });

  it('is signed by the session that it ends, also after a restart', async () => {
    await start().me();
    await start().logout();
    expect([server.alive.size, server.calls.at(-1)?.proof]).toEqual([0, 'session']);
  });
});
