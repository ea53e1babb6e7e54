import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, fetchTransport, wxLogin, wxTransport } from '../../client/miniapp-client.ts';
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

const identity = (platform: string) => ({ id: platform, platform, label: '****', createdAt: '' });
const start = () =>
  createClient({
    ...{ baseUrl: server.url, appId: APP_ID, transport: wxTransport(wx), silentCode: wxLogin(wx) },
    ...{ now: () => server.now, onLoginRequired: ({ code }) => asked.push(code) },
  });
/** The answer of the server to this route, the first time. */
const once = (route: string, answer: object) => {
  let isDone = false;
  server.instead = (call) => {
    if (isDone || call.route !== route) return undefined;
    isDone = true;
    return { status: 0, ...answer };
  };
};
const sent = (route: string): ServedCall[] => server.calls.filter((call) => call.route === route);
const code = (failure: { code: string }) => failure.code;

describe('a link', () => {
  it('of WeChat takes a code of wx.login, for the user who asked', async () => {
    const client = start();
    await client.login({ account: 'anna', password: 'right' });
    await client.linkWechat({ proof: { password: 'right' } });
    expect(sent('POST /me/identities/wechat')[0]?.body).toEqual({ code: 'code-1', proof: { password: 'right' } });
    await client.linkWechat({ code: 'of-the-program' });
    expect(sent('POST /me/identities/wechat')[1]?.body).toEqual({ code: 'of-the-program' });
    expect(wx.codes).toHaveLength(1);
  });

  it('of WeChat fails with PLATFORM if wx.login fails, and sends nothing', async () => {
    const client = start();
    await client.login({ account: 'anna', password: 'right' });
    wx.broken.set('login', 'fails');
    await expect(client.linkWechat()).rejects.toMatchObject({ name: 'ApiError', code: 'PLATFORM', status: 0 });
    expect(sent('POST /me/identities/wechat')).toEqual([]);
  });

  it('of WeChat needs silentCode or a code', async () => {
    const page = createClient({ baseUrl: server.url, appId: APP_ID, transport: fetchTransport(fetch) });
    await page.login({ account: 'anna', password: 'right' });
    await expect(page.linkWechat()).rejects.toThrow(TypeError);
    await expect(page.loginWechat({ phoneCode: 'p' })).rejects.toThrow(TypeError);
    await page.linkWechat({ code: 'c' });
  });

  it('of WeChat is not made for another user, who logs in while wx.login runs', async () => {
    const client = start();
    await client.login({ account: 'anna', password: 'right' });
    const login = wx.login;
    wx.login = (options) => {
      client.login({ account: 'bert', password: 'right' }).then(() => login(options));
    };
    expect(await client.linkWechat().catch(code)).toBe('USER_CHANGED');
    expect(sent('POST /me/identities/wechat')).toEqual([]);
  });

  it('of a phone is repeated after REPLAYED; one that used up a code of wx.login is not', async () => {
    const client = start();
    await client.me();
    once('POST /me/identities/phone', problem(401, 'REPLAYED'));
    await client.linkPhone({ phoneCode: 'p' });
    expect(sent('POST /me/identities/phone')).toHaveLength(2);
    once('POST /me/identities/phone', problem(401, 'REPLAYED'));
    expect(await client.linkPhone({ phoneCode: 'p', proof: { code: 'c' } }).catch(code)).toBe('REPLAYED');
    once('POST /me/identities/wechat', problem(401, 'REPLAYED'));
    expect(await client.linkWechat().catch(code)).toBe('REPLAYED');
    expect(sent('POST /me/identities/wechat')).toHaveLength(1);
  });
});

describe('a WeChat login with a phone', () => {
  it('takes a code of wx.login with the code of the button', async () => {
    const client = start();
    await client.loginWechat({ phoneCode: 'p' });
    expect(server.calls.map(({ body }) => body)).toEqual([{ code: 'code-1', phoneCode: 'p' }]);
    expect((await client.me()).userId).toBe(userId('wechat-user'));
  });
});

describe('the removal of an identity', () => {
  const DAY = 25 * 3_600_000;
  const identities = (call: ServedCall) =>
    call.route === 'GET /me/identities'
      ? { status: 200, body: { identities: ['password', 'wechat', 'phone'].map(identity) } }
      : undefined;
  const removing = (answer: object) => (call: ServedCall) =>
    call.route.startsWith('DELETE') ? { status: 0, ...answer } : identities(call);

  it('of WeChat keeps the session, and no silent login follows: it would make a new account', async () => {
    const client = start();
    await client.me();
    server.now += DAY;
    server.instead = removing({ status: 204 });
    await client.unlink('wechat', { proof: { password: 'p' } });
    expect(sent('DELETE /me/identities/wechat')[0]?.body).toEqual({ proof: { password: 'p' } });
    for (const again of [client, start()]) await again.me();
    server.revokeAll();
    expect(await client.me().catch(code)).toBe('SESSION_REVOKED');
    expect([wx.codes.length, asked]).toEqual([1, ['SESSION_REVOKED']]);
  });

  it('of a phone, or of WeChat when it was refused, leaves the silent login as it is', async () => {
    const client = start();
    await client.me();
    server.instead = removing(problem(409, 'LAST_IDENTITY'));
    expect(await client.unlink('wechat').catch(code)).toBe('LAST_IDENTITY');
    server.instead = removing({ status: 204 });
    await client.unlink('phone');
    server.revokeAll();
    await client.me();
    expect([wx.codes.length, asked]).toEqual([2, []]);
  });

  it('whose answer is lost is not repeated, and WeChat counts as removed', async () => {
    const client = start();
    await client.me();
    server.instead = removing({ drop: true });
    expect(await client.unlink('wechat').catch(code)).toBe('NETWORK');
    server.revokeAll();
    expect(await client.me().catch(code)).toBe('SESSION_REVOKED');
    expect([wx.codes.length, server.calls.filter(({ route }) => route.startsWith('DELETE')).length]).toEqual([1, 1]);
  });
});
