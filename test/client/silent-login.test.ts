import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, fetchTransport, wxLogin, wxTransport } from '../../client/miniapp-client.ts';
import { problem } from '../support/client-server.ts';
import { type WxStandIn, wxStandIn } from '../support/client-wx.ts';
import { APP_ID, type SessionServer, startSessionServer, userId } from '../support/session-server.ts';

let server: SessionServer;
let wx: WxStandIn;
let asked: string[];
beforeEach(async () => {
  server = await startSessionServer();
  wx = wxStandIn();
  asked = [];
});
afterEach(() => server.close());

/** Starts the mini-program on this phone. */
const start = (clockErrorSeconds = 0) =>
  createClient({
    baseUrl: server.url,
    appId: APP_ID,
    transport: wxTransport(wx),
    silentCode: wxLogin(wx),
    now: () => server.now + clockErrorSeconds * 1000,
    onLoginRequired: (error) => asked.push(error.code),
  });
/** A page of H5, without a login of the platform. */
const openPage = () =>
  createClient({
    baseUrl: server.url,
    appId: APP_ID,
    transport: fetchTransport(fetch),
    now: () => server.now,
    onLoginRequired: (error) => asked.push(error.code),
  });
const right = { account: 'anna', password: 'right' };
const once = (route: string, answer: ReturnType<typeof problem>) => {
  let isDone = false;
  server.instead = (call) => {
    if (isDone || call.route !== route) return undefined;
    isDone = true;
    return answer;
  };
};

describe('the first call of a mini-program', () => {
  it('logs in by name with a code of wx.login, and signs itself by the session', async () => {
    const client = start();
    expect((await client.me()).userId).toBe(userId('wechat-user'));
    await client.spend({ amount: 3, reason: '茶' });
    expect(server.routes()).toEqual(['POST /login/wechat named', 'GET /me session', 'POST /balance/spend session']);
    expect(server.calls[0]?.body).toEqual({ code: 'code-1' });
    expect(server.calls.every(({ headers }) => headers.authorization === undefined)).toBe(true);
  });

  it('of five at once: all wait for one login', async () => {
    const client = start();
    await Promise.all([1, 2, 3, 4, 5].map(() => client.me()));
    expect(wx.codes).toHaveLength(1);
    expect(server.calls.filter(({ proof }) => proof === 'session')).toHaveLength(5);
  });

  it.each([-86_400, 31_536_000])('works on a device whose clock is %i s off, without one refusal', async (error) => {
    const client = start(error);
    await Promise.all([1, 2, 3, 4, 5].map(() => client.me()));
    expect(server.calls.every(({ proof }) => proof !== 'forged')).toBe(true);
  });

  it('after a restart uses the kept session, and learns the time from one refusal', async () => {
    await start().me();
    const client = start(-7200);
    await Promise.all([1, 2, 3, 4, 5].map(() => client.me()));
    expect(wx.codes).toHaveLength(1);
    const again = server.calls.slice(2);
    expect(again.filter(({ proof }) => proof === 'session')).toHaveLength(5);
    expect(again.filter(({ proof }) => proof === 'forged')).toHaveLength(5);
  });

  it('fails with the error of the login, and the next call tries again with a new code', async () => {
    const client = start();
    once('POST /login/wechat', problem(503, 'UNAVAILABLE'));
    const outcomes = await Promise.allSettled([client.me(), client.me()]);
    expect(outcomes.map((one) => one.status === 'rejected' && one.reason.code)).toEqual(['UNAVAILABLE', 'UNAVAILABLE']);
    await client.me();
    expect(wx.codes).toEqual(['code-1', 'code-2']);
  });

  it.each(['fails', 'throws'] as const)('settles with an ApiError when wx.login %s', async (how) => {
    wx.broken.set('login', how);
    await expect(start().me()).rejects.toMatchObject({ name: 'ApiError', code: 'PLATFORM', status: 0 });
    expect(server.calls).toHaveLength(0);
  });

  it('does not take an answer without a session and a key for a login', async () => {
    once('POST /login/wechat', { status: 200, body: { token: 's1.u.secret', user: { userId: 'u' } } });
    await expect(start().me()).rejects.toMatchObject({ code: 'BAD_ANSWER' });
  });
});

describe('a call without a session', () => {
  it('only names the app, and starts no login', async () => {
    const client = start();
    await client.request('GET', '/data/notice/1', { session: false }).catch(() => undefined);
    expect(server.routes()).toEqual(['GET /data/notice/1 named']);
    expect(wx.codes).toEqual([]);
  });

  it('where the platform has no login: the program is asked once for calls at the same time, and again later', async () => {
    const client = openPage();
    await Promise.allSettled([client.me(), client.me(), client.recharge({ productId: 'p', provider: 'sandbox' })]);
    expect(asked).toEqual(['LOGIN_REQUIRED']);
    await client.me().catch(() => undefined);
    expect(asked).toEqual(['LOGIN_REQUIRED', 'LOGIN_REQUIRED']);
    await client.login(right);
    expect((await client.me()).userId).toBe(userId('anna'));
    expect(asked).toHaveLength(2);
  });

  it('an exception in onLoginRequired changes nothing', async () => {
    const throwing = createClient({
      baseUrl: server.url,
      appId: APP_ID,
      transport: fetchTransport(fetch),
      onLoginRequired: () => {
        throw new Error('of the program');
      },
    });
    await expect(throwing.me()).rejects.toMatchObject({ code: 'LOGIN_REQUIRED' });
  });
});

describe('a login that the program asks for', () => {
  it('waits for the silent login and takes the place of its session', async () => {
    const client = start();
    let login: Promise<unknown> | null = null;
    server.instead = ({ route }) => {
      if (route === 'POST /login/wechat') login = client.login(right);
      return undefined;
    };
    await client.me().catch(() => undefined);
    await login;
    expect(server.calls.find(({ route }) => route === 'POST /login')?.proof).toBe('session');
    expect(server.alive.size).toBe(1);
    expect((await client.me()).userId).toBe(userId('anna'));
  });

  it('makes calls that start meanwhile wait, so that no second login begins', async () => {
    const client = start();
    const [login, me] = await Promise.all([client.login(right), client.me()]);
    expect([login.user.userId, me.userId]).toEqual([userId('anna'), userId('anna')]);
    expect(wx.codes).toEqual([]);
  });

  it('without a code joins the silent login that is running', async () => {
    const client = start();
    const [login] = await Promise.all([client.loginWechat(), client.me(), client.me()]);
    expect(login.user.userId).toBe(userId('wechat-user'));
    expect(wx.codes).toHaveLength(1);
    expect(login).not.toHaveProperty('key');
  });

  it('under a session that has ended is sent once more, by name', async () => {
    const client = start();
    await client.me();
    server.revokeAll();
    await client.login(right);
    expect(server.routes().slice(2)).toEqual(['POST /login session', 'POST /login named']);
  });

  it('needs silentCode or a code', async () => {
    await expect(openPage().loginWechat()).rejects.toThrow(TypeError);
    await openPage().loginWechat({ code: 'of-the-program' });
    expect(server.calls[0]?.body).toEqual({ code: 'of-the-program' });
  });
});

describe('the options', () => {
  it('privateKey and silentCode exclude each other', () => {
    const both = { baseUrl: server.url, appId: APP_ID, transport: wxTransport(wx), privateKey: 'pk' };
    expect(() => createClient({ ...both, silentCode: wxLogin(wx) })).toThrow(TypeError);
  });

  it('a public client deletes the session token that a v2 version of the program left', () => {
    wx.stored.set(`miniapp:${APP_ID}:session`, 's1.u.secret');
    start();
    expect(wx.stored.size).toBe(0);
  });
});
