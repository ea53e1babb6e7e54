import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, wxLogin, wxTransport } from '../../client/miniapp-client.ts';
import { problem } from '../support/client-server.ts';
import { type WxStandIn, wxStandIn } from '../support/client-wx.ts';
import { APP_ID, type ServedCall, type SessionServer, startSessionServer, userId } from '../support/session-server.ts';

const PAGES = 5;
let server: SessionServer;
let wx: WxStandIn;
beforeEach(async () => {
  server = await startSessionServer();
  wx = wxStandIn();
  server.instead = served;
});
afterEach(() => server.close());

/** Five pages of two records. A cursor holds the user who got it, as the server's does; nobody else may use it. */
function served({ route, query, session }: ServedCall) {
  if (route !== 'GET /data/booking' || !server.alive.has(session)) return undefined;
  const [user = ''] = session.split('.');
  const [place = '0', owner = user] = (new URLSearchParams(query).get('after') ?? '0').split('~');
  if (owner !== user) return problem(400, 'INVALID_INPUT', { errors: [{ path: 'query.after', message: 'not yours' }] });
  const page = Number(place);
  const items = [1, 2].map((n) => ({ id: String(page * 2 + n), of: user }));
  return { status: 200, body: { items, ...(page + 1 < PAGES && { next: `${page + 1}~${user}` }) } };
}

function start() {
  const [transport, silentCode] = [wxTransport(wx), wxLogin(wx)];
  return createClient({ baseUrl: server.url, appId: APP_ID, transport, silentCode, now: () => server.now });
}
const queries = () =>
  server.calls.filter(({ route }) => route === 'GET /data/booking').map(({ query }) => decodeURIComponent(query));
const mine = (client = start(), options = {}) => client.list<{ of: string }>('booking', 'mine', options);
const user = userId('wechat-user');
/** The session ends, and the phone now belongs to another person. */
const becomeAnother = (): void => {
  server.revokeAll();
  server.wechatUser = 'somebody-else';
};

async function idsOf(list: AsyncIterable<{ id: string }>): Promise<string[]> {
  const ids: string[] = [];
  for await (const { id } of list) ids.push(id);
  return ids;
}

describe('a walk through a list', () => {
  it('has all items in order, and reads each page once', async () => {
    expect(await idsOf(mine())).toEqual(Array.from({ length: 10 }, (_, i) => String(i + 1)));
    const cursors = [1, 2, 3, 4].map((page) => `after=${page}~${user}&list=mine`);
    expect(queries()).toEqual(['list=mine', ...cursors]);
  });

  it('reads nothing before it begins, and a page only when it is needed', async () => {
    const list = mine();
    expect(server.calls).toEqual([]);
    const reads: number[] = [];
    for await (const _ of list) reads.push(queries().length);
    expect(reads).toEqual([1, 1, 2, 2, 3, 3, 4, 4, 5, 5]);
  });

  it('that is left by `break` reads nothing more', async () => {
    for await (const { id } of mine()) if (id === '3') break;
    expect(queries()).toHaveLength(2);
  });

  it('begins again with each loop, and after the cursor of the options', async () => {
    const client = start();
    const { next = '' } = await mine(client).page();
    const rest = mine(client, { after: next });
    expect(await idsOf(rest)).toEqual(await idsOf(rest));
    expect((await idsOf(rest))[0]).toBe('3');
  });

  it('sends filters and the size with each page', async () => {
    await idsOf(mine(start(), { status: '已确认', limit: 20 }));
    expect(new Set(queries().map((query) => query.replace(/after=[^&]*&/, '')))).toEqual(
      new Set(['limit=20&list=mine&status=已确认']),
    );
  });

  it('of an empty list has no item', async () => {
    server.instead = ({ route }) => (route.includes('booking') ? { status: 200, body: { items: [] } } : undefined);
    expect(await idsOf(mine())).toEqual([]);
    expect(await mine().page()).toEqual({ items: [] });
  });

  it('passes an empty page that has a following one', async () => {
    server.instead = ({ route, query }) => {
      if (!route.includes('booking')) return undefined;
      const body = query.includes('after') ? { items: [{ id: '1' }] } : { items: [], next: 'n' };
      return { status: 200, body };
    };
    expect(await idsOf(mine())).toEqual(['1']);
  });

  it('that fails at its third page gives its items before, then the error', async () => {
    server.instead = (call) => (call.query.includes('after=2') ? problem(500, 'INTERNAL') : served(call));
    const seen: string[] = [];
    const walk = async () => {
      for await (const { id } of mine()) seen.push(id);
    };
    await expect(walk()).rejects.toMatchObject({ name: 'ApiError', code: 'INTERNAL', status: 500 });
    expect(seen).toEqual(['1', '2', '3', '4']);
  });
});

describe('one page', () => {
  it('has the cursor of the next one, which is sent back as it came', async () => {
    const cursor = 'MS4xLjE.+/=&?%"é漢-_';
    server.instead = ({ route }) =>
      route.includes('booking') ? { status: 200, body: { items: [], next: cursor } } : undefined;
    const list = mine();
    expect((await list.page()).next).toBe(cursor);
    await list.page(cursor);
    expect(new URLSearchParams(server.calls.at(-1)?.query).get('after')).toBe(cursor);
  });

  it('is read by each call again', async () => {
    const list = mine();
    const first = await list.page();
    expect(first.items.map(({ id }) => id)).toEqual(['1', '2']);
    expect((await list.page(first.next)).items.map(({ id }) => id)).toEqual(['3', '4']);
    expect([await list.page(), await list.page('')]).toEqual([first, first]);
    expect(queries().filter((query) => query === 'list=mine')).toHaveLength(3);
  });
});

describe('the user of a list', () => {
  it('stays the same when the session is renewed in the middle', async () => {
    const owners = new Set<string>();
    for await (const { of, id } of mine()) {
      owners.add(of);
      if (id === '4') server.revokeAll();
    }
    expect([...owners]).toEqual([user]);
    expect([queries().length, wx.codes.length]).toEqual([PAGES + 1, 2]);
  });

  it.each<[string, (client: ReturnType<typeof start>) => Promise<unknown>]>([
    ['by a silent login', async () => becomeAnother()],
    ['by a login', (client) => client.login({ account: 'anna', password: 'right' })],
    ['after a logout', (client) => client.logout().then(() => client.login({ account: 'anna', password: 'right' }))],
  ])('never changes: %s in the middle it is USER_CHANGED', async (_, change) => {
    const client = start();
    const [walked, paged] = [mine(client), mine(client)];
    const { next } = await paged.page();
    const seen: string[] = [];
    const walk = async () => {
      for await (const { of, id } of walked) {
        seen.push(of);
        if (id === '2') await change(client);
      }
    };
    await expect(walk()).rejects.toMatchObject({ code: 'USER_CHANGED' });
    await expect(paged.page(next)).rejects.toMatchObject({ code: 'USER_CHANGED' });
    expect(seen).toEqual([user, user]);
  });

  it('is another one for a new list after the login, which begins at its first page', async () => {
    const client = start();
    const { next = '' } = await mine(client).page();
    await client.login({ account: 'anna', password: 'right' });
    await expect(mine(client, { after: next }).page()).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect((await mine(client).page()).items[0]?.of).toBe(userId('anna'));
  });

  it('may log in during a walk that began without a session', async () => {
    const open = { status: 200, body: { items: [{ id: '1' }], next: 'n' } };
    server.instead = ({ route }) => (route === 'GET /data/notice' ? open : undefined);
    const client = createClient({ baseUrl: server.url, appId: APP_ID, transport: wxTransport(wx) });
    const list = client.list('notice', 'newest');
    const { next } = await list.page();
    await client.login({ account: 'anna', password: 'right' });
    expect((await list.page(next)).items).toEqual([{ id: '1' }]);
  });
});
