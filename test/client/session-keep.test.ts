import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, fetchTransport, wxLogin, wxTransport } from '../../client/miniapp-client.ts';
import { type WxStandIn, wxStandIn } from '../support/client-wx.ts';
import { APP_ID, type SessionServer, startSessionServer, userId } from '../support/session-server.ts';

let server: SessionServer;
let wx: WxStandIn;
beforeEach(async () => {
  server = await startSessionServer();
  wx = wxStandIn();
});
afterEach(() => server.close());

const common = () => ({ baseUrl: server.url, appId: APP_ID, now: () => server.now });
const start = () => createClient({ ...common(), transport: wxTransport(wx), silentCode: wxLogin(wx) });
const right = { account: 'anna', password: 'right' };
const logins = () => server.calls.filter(({ route }) => route.startsWith('POST /login')).length;

describe('in a mini-program', () => {
  it('session and key are stored only encrypted, and survive a restart', async () => {
    await start().me();
    const plain = [...wx.stored.values()].join();
    const [kept = ''] = wx.encrypted.values();
    expect(JSON.parse(kept)).toMatchObject({ session: [...server.alive][0], silent: true, at: server.now });
    expect(plain).not.toContain(JSON.parse(kept).key);
    expect(plain).not.toContain(JSON.parse(kept).session);
    await start().me();
    expect(logins()).toBe(1);
  });

  it('an old library, which keeps the text as it is, works the same', async () => {
    const { getStorage, setStorage } = wx;
    wx.getStorage = (options) => getStorage({ ...options, encrypt: false });
    wx.setStorage = (options) => setStorage({ ...options, encrypt: false });
    await start().me();
    await start().me();
    expect([logins(), wx.encrypted.size]).toEqual([1, 0]);
  });

  it.each(['fails', 'throws'] as const)('a storage that %s breaks no login, no call and no logout', async (how) => {
    for (const name of ['getStorage', 'setStorage', 'getStorageSync', 'setStorageSync', 'removeStorageSync'])
      wx.broken.set(name, how);
    const client = start();
    await client.me();
    await client.login(right);
    expect((await client.me()).userId).toBe(userId('anna'));
    await client.logout();
    expect(await client.isLoggedIn()).toBe(false);
    expect(wx.encrypted.size).toBe(0);
  });

  it('a purchase whose key cannot be stored is not sent, and says so by an ApiError', async () => {
    const client = start();
    await client.me();
    wx.broken.set('setStorageSync', 'fails');
    const refused = { name: 'ApiError', code: 'PLATFORM', detail: 'setStorageSync:fail exceed storage max size' };
    await expect(client.spend({ amount: 1 })).rejects.toMatchObject(refused);
    expect(server.routes().filter((route) => route.includes('spend'))).toEqual([]);
  });

  it('a login of v2 whose token cannot be stored holds until the program ends', async () => {
    wx.broken.set('setStorageSync', 'fails');
    server.instead = ({ route }) => ({ status: 200, body: route === 'POST /login' ? { token: 's1.u.secret' } : {} });
    const client = createClient({ ...common(), privateKey: 'pk', transport: wxTransport(wx) });
    await client.login(right);
    await client.me();
    expect(server.calls.at(-1)?.headers.authorization).toBe('Bearer s1.u.secret');
  });

  it('a storage that never calls back delays a login by seconds, and breaks nothing', async () => {
    wx.broken.set('getStorage', 'hangs').set('setStorage', 'hangs');
    const client = start();
    expect((await client.me()).userId).toBe(userId('wechat-user'));
    await client.me();
    expect(logins()).toBe(1);
  });

  it('a random source that fails gives an ApiError', async () => {
    const client = start();
    await client.me();
    wx.broken.set('getRandomValues', 'fails');
    await expect(client.me()).rejects.toMatchObject({ name: 'ApiError', code: 'PLATFORM' });
  });

  it.each(['', '{"session":1}', 'not json', 's1.user.secret'])('a stored %j is no session', async (text) => {
    wx.encrypted.set(`miniapp:${APP_ID}:login`, text);
    await start().me();
    expect(logins()).toBe(1);
  });

  it('the key of an unfinished payment keeps its name, so it survives the move from v2', async () => {
    const v2 = createClient({ ...common(), privateKey: 'pk', transport: wxTransport(wx) });
    wx.stored.set(`miniapp:${APP_ID}:session`, `s1.${userId('wechat-user')}.secret`);
    server.instead = ({ route }) => (route === 'POST /balance/spend' ? { status: 0, drop: true } : undefined);
    await v2.spend({ amount: 5 }).catch(() => undefined);
    server.instead = () => undefined;
    await start().spend({ amount: 5 });
    const [before, after] = server.calls.filter(({ route }) => route === 'POST /balance/spend');
    expect(after?.headers['idempotency-key']).toBe(before?.headers['idempotency-key']);
    expect(after?.proof).toBe('session');
  });
});

describe('in H5', () => {
  const shared = () => {
    let text: string | null = null;
    return {
      load: async () => text,
      save: async (next: string | null) => {
        text = next;
      },
    };
  };
  const openTab = (keep?: ReturnType<typeof shared>) =>
    createClient({ ...common(), transport: fetchTransport(fetch), ...(keep && { keep }) });

  it('the session ends with the page, unless `keep` is given', async () => {
    await openTab().login(right);
    expect(await openTab().isLoggedIn()).toBe(false);
    const keep = shared();
    await openTab(keep).login(right);
    expect((await openTab(keep).me()).userId).toBe(userId('anna'));
  });

  it('a tab signs by the session that another tab opened for the same user', async () => {
    const keep = shared();
    const first = openTab(keep);
    await first.login(right);
    const second = openTab(keep);
    await second.login(right);
    await first.me();
    expect(server.calls.at(-1)?.session).toBe([...server.alive][0]);
    expect(server.alive.size).toBe(1);
  });

  it('a call that an older session was refused for is signed once more by the stored one', async () => {
    const keep = shared();
    const first = openTab(keep);
    await first.login(right);
    server.instead = async (call) => {
      if (call.route !== 'GET /me') return undefined;
      server.instead = () => undefined;
      await openTab(keep).login(right);
      return undefined;
    };
    expect((await first.me()).userId).toBe(userId('anna'));
    expect(server.calls.filter(({ route }) => route === 'GET /me')).toHaveLength(2);
  });

  it('a tab whose storage holds another user sends nothing as that user', async () => {
    const keep = shared();
    const first = openTab(keep);
    await first.login(right);
    await openTab(keep).login({ account: 'bert', password: 'right' });
    await expect(first.spend({ amount: 1 })).rejects.toMatchObject({ code: 'USER_CHANGED' });
    expect(server.routes().filter((route) => route.includes('spend'))).toEqual([]);
    await first.login(right);
    expect((await first.me()).userId).toBe(userId('anna'));
  });

  it('a logout in one tab logs out the others', async () => {
    const keep = shared();
    const [first, second] = [openTab(keep), openTab(keep)];
    await first.login(right);
    await second.me();
    await first.logout();
    expect(await second.isLoggedIn()).toBe(false);
  });

  it('a keep that fails breaks nothing: the session is in memory', async () => {
    const failing = { load: () => Promise.reject(new Error('no')), save: () => Promise.reject(new Error('full')) };
    const client = openTab(failing);
    await client.login(right);
    expect((await client.me()).userId).toBe(userId('anna'));
  });
});

describe('a storage that does not do as it says', () => {
  it('keeps nothing: one silent login, and the session is in memory', async () => {
    const keep = { load: async () => null, save: async () => undefined };
    const client = createClient({ ...common(), transport: wxTransport(wx), silentCode: wxLogin(wx), keep });
    await client.me();
    await client.me();
    expect(logins()).toBe(1);
  });

  it('writes late: a text from before a logout does not come back', async () => {
    const late: (() => void)[] = [];
    let text: string | null = null;
    const keep = {
      exclusive: true,
      load: async () => text,
      save: (next: string | null) =>
        new Promise<void>((resolve) => {
          const write = () => {
            text = next;
            resolve();
          };
          if (next) late.push(write);
          else write();
        }),
    };
    const client = createClient({ ...common(), transport: wxTransport(wx), keep });
    const login = client.login(right);
    while (late.length === 0) await new Promise((resolve) => setImmediate(resolve));
    await client.logout();
    for (const write of late) write();
    await login;
    expect([text, await client.isLoggedIn()]).toEqual([null, false]);
  });

  it('is an object of a class, whose methods need their object', async () => {
    class Kept {
      private text: string | null = null;
      async load() {
        return this.text;
      }
      async save(text: string | null) {
        this.text = text;
      }
    }
    const keep = new Kept();
    const open = () => createClient({ ...common(), transport: wxTransport(wx), keep });
    await open().login(right);
    expect((await open().me()).userId).toBe(userId('anna'));
  });
});
