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

function start(clockErrorSeconds = 0) {
  const [transport, silentCode] = [wxTransport(wx), wxLogin(wx)];
  const now = () => server.now + clockErrorSeconds * 1000;
  return createClient({ baseUrl: server.url, appId: APP_ID, transport, silentCode, now, wait: async () => undefined });
}
const hours = (count: number) => {
  server.now += count * 3_600_000;
};
const logins = () => server.routes().filter((route) => route.startsWith('POST /login'));
/** Until the login beside the calls has ended. */
async function replacedBy(client: ReturnType<typeof start>): Promise<string | undefined> {
  const [former] = server.alive;
  while (server.alive.has(former ?? '')) await new Promise((resolve) => setImmediate(resolve));
  await client.me();
  return server.calls.at(-1)?.session;
}

describe('a silent session of more than a day', () => {
  it('is replaced beside the calls by a login that it signs, so that a copy of its key ends', async () => {
    await start().me();
    hours(25);
    const [former] = server.alive;
    const client = start();
    await client.me();
    expect(await replacedBy(client)).not.toBe(former);
    expect(logins()).toEqual(['POST /login/wechat named', 'POST /login/wechat session']);
    expect([...server.alive]).toHaveLength(1);
  });

  it('is left alone before that, also on a device whose clock is two days ahead', async () => {
    await start().me();
    hours(23);
    const client = start(172_800);
    await client.me();
    await client.me();
    expect(logins()).toHaveLength(1);
  });

  it('of a password user is left alone', async () => {
    const client = start();
    await client.login({ account: 'anna', password: 'right' });
    hours(200);
    await client.me();
    await client.me();
    expect(logins()).toHaveLength(1);
  });

  it('is kept when the login answers 503, and the next try is an hour later', async () => {
    const client = start();
    await client.me();
    hours(25);
    server.instead = ({ route }) => (route === 'POST /login/wechat' ? problem(503, 'UNAVAILABLE') : undefined);
    for (let call = 0; call < 5; call++) await client.me();
    expect(logins()).toHaveLength(2);
    server.instead = () => undefined;
    hours(1);
    await client.me();
    await replacedBy(client);
    expect(logins()).toHaveLength(3);
  });

  it('a call that the former session signed meanwhile is signed once more by the new one', async () => {
    const client = start();
    await client.me();
    hours(25);
    const [former] = server.alive;
    let release: () => void = () => undefined;
    const held = new Promise<void>((resolve) => {
      release = resolve;
    });
    server.instead = async ({ route, session }) => {
      if (route === 'POST /login/wechat') setImmediate(release);
      if (route === 'GET /me' && session === former) {
        await held;
        server.alive.delete(former ?? '');
      }
      return undefined;
    };
    await client.rechargeParams();
    expect((await client.me()).userId).toBe(userId('wechat-user'));
  });

  it('a lost answer to the login: the former is dead, the next call logs in and is repeated', async () => {
    const client = start();
    await client.me();
    hours(25);
    let isLost = false;
    server.instead = ({ route, session }) => {
      if (route !== 'POST /login/wechat' || isLost) return undefined;
      isLost = true;
      server.alive.delete(session);
      return { status: 0, drop: true };
    };
    await client.me();
    while (!isLost) await new Promise((resolve) => setImmediate(resolve));
    expect((await client.spend({ amount: 1 })).ref).toBe('r');
    expect(server.alive.size).toBe(1);
  });

  it('that comes back as another user ends nothing of this run: its calls are USER_CHANGED', async () => {
    const client = start();
    await client.me();
    hours(25);
    server.wechatUser = 'somebody-else';
    await client.me();
    await expect(replacedBy(client)).rejects.toMatchObject({ code: 'USER_CHANGED' });
  });
});

describe('while a payment runs', () => {
  const input = { productId: 'coins-10', provider: 'xpay' };

  it('no session is replaced: a new wx.login would void a payment that was just signed', async () => {
    await start().me();
    hours(25);
    const client = start();
    const codesDuring: number[] = [];
    await client.pay(input, async () => {
      for (let call = 0; call < 3; call++) await client.me();
      codesDuring.push(wx.codes.length);
    });
    expect(codesDuring).toEqual([1]);
    expect(wx.codes).toHaveLength(1);
    await client.me();
    await replacedBy(client);
    expect(wx.codes).toHaveLength(2);
  });

  it('and a replacement that has begun is waited for', async () => {
    const client = start();
    await client.me();
    hours(25);
    await client.me();
    await client.pay(input, async () => undefined);
    const order = server.routes();
    expect(order.indexOf('POST /login/wechat session')).toBeLessThan(order.indexOf('POST /recharge session'));
  });

  it('a session that the server ended is still replaced, and the order is created once', async () => {
    const client = start();
    await client.me();
    server.revokeAll();
    const { order } = await client.pay(input, async () => undefined);
    expect(order.status).toBe('paid');
    const keys = server.calls
      .filter(({ route }) => route === 'POST /recharge')
      .map(({ headers }) => headers['idempotency-key']);
    expect(new Set(keys).size).toBe(1);
  });
});

it('a late answer to a call of the former user replaces nothing', async () => {
  const client = start();
  await client.me();
  hours(25);
  let answer = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    answer = resolve;
  });
  server.instead = async ({ route }) => {
    if (route !== 'GET /balance') return undefined;
    await held;
    return { status: 200, body: { balance: 1 } };
  };
  const slow = client.balance();
  while (!server.routes().includes('GET /balance session')) await new Promise((resolve) => setImmediate(resolve));
  await client.login({ account: 'pete', password: 'right' });
  answer();
  await slow;
  expect((await client.me()).userId).toBe(userId('pete'));
  expect(logins()).toEqual(['POST /login/wechat named', 'POST /login session']);
});
