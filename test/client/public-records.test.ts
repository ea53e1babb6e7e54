import { beforeAll, describe, expect, test } from 'vitest';
import { createClient, fetchTransport, type Own } from '../../client/miniapp-client.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

interface Booking {
  userId: string;
  serviceId: string;
  day: string;
  note: string;
  status: string;
}

let stack: TestStack;
let appId: string;
let server: TestApp;
let people = 0;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  const scopes = ['login', 'data:read', 'data:own', 'open:wechat', 'open:data'] as const;
  ({ appId } = await stack.createApp({ methods: ['SESSION-HMAC-SHA256'], scopes }));
  server = await stack.createApp({ scopes: ['data:read', 'data:write'] });
});

/** The mini-program of a new person. `lost`: the next answer to this method does not arrive. */
function start() {
  const plain = fetchTransport(fetch);
  const phone = { person: `records-${++people}`, lost: '' };
  const transport: typeof plain = {
    ...plain,
    async send(call) {
      const answer = await plain.send(call);
      if (call.method !== phone.lost) return answer;
      phone.lost = '';
      throw new TypeError('the answer is lost');
    },
  };
  const silentCode = async () => stack.wechat.issueCode(phone.person);
  return { phone, client: createClient({ baseUrl: stack.url, appId, transport, silentCode }) };
}
const booking = { serviceId: '1', day: '2030-05-01', note: '按两次门铃' };
const change = { day: '2030-06-01', note: '', status: 'cancelled' };
const NETWORK = { code: 'NETWORK' };

describe('a public list at the real service', () => {
  test('is walked through without a session, each record once and in order', async () => {
    const client = createClient({ baseUrl: stack.url, appId, transport: fetchTransport(fetch) });
    const prices: number[] = [];
    const ids = new Set<string>();
    for await (const { id, priceFen } of client.list<{ priceFen: number }>('service', 'cheapest', { limit: 50 })) {
      ids.add(id);
      prices.push(priceFen);
    }
    const [rows] = await stack.mysql.query(
      'SELECT price_fen FROM services WHERE deleted_at IS NULL ORDER BY price_fen',
    );
    expect(prices).toEqual((rows as Array<{ price_fen: number }>).map(({ price_fen }) => price_fen));
    expect(ids.size).toBe(prices.length);
  });

  test('takes filters, and refuses a list, a value and a cursor that do not exist', async () => {
    const { client } = start();
    const { items, next } = await client
      .list<{ category: string }>('service', 'by-category', { category: 'pets' })
      .page();
    expect([items.length, new Set(items.map(({ category }) => category))]).toEqual([20, new Set(['pets'])]);
    expect(next).toEqual(expect.any(String));
    for (const [name, options, path] of [
      ['dearest', {}, 'query.list'],
      ['by-category', { category: 'boats' }, 'query.category'],
      ['cheapest', { limit: 7 }, 'query.limit'],
      ['cheapest', { after: next as string }, 'query.after'],
    ] as const) {
      const refusal = { code: 'INVALID_INPUT', errors: [{ path }] };
      await expect(client.list('service', name, options).page()).rejects.toMatchObject(refusal);
    }
  });
});

describe('records of one’s own at the real service', () => {
  test('are created, listed, changed and removed, and a wrong version is refused', async () => {
    const { client } = start();
    const mine = client.list<Own<Booking>>('booking', 'mine');
    expect(await mine.page()).toEqual({ items: [] });
    const made = await client.create<Booking>('booking', booking);
    expect(made).toMatchObject({ ...booking, status: 'requested', version: 1 });
    expect((await mine.page()).items).toEqual([made]);
    const changed = await client.update<Booking>('booking', made.id, made.version, change);
    expect(changed).toEqual({ ...made, ...change, version: 2 });
    const stale = client.update('booking', made.id, 1, { ...change, note: 'late' });
    await expect(stale).rejects.toMatchObject({ status: 412, code: 'VERSION_MISMATCH' });
    const staleRemoval = client.remove('booking', made.id, { version: 1 });
    await expect(staleRemoval).rejects.toMatchObject({ status: 412, code: 'VERSION_MISMATCH' });
    await client.remove('booking', made.id, { version: 2 });
    expect([await client.readOne('booking', made.id), await mine.page()]).toEqual([null, { items: [] }]);
    const gone = client.update('booking', made.id, 3, change);
    await expect(gone).rejects.toMatchObject({ status: 404, code: 'NOT_FOUND' });
  });

  test('are written once when answers are lost and the calls are repeated', async () => {
    const { client, phone } = start();
    await client.me();
    phone.lost = 'POST';
    await expect(client.create('booking', booking)).rejects.toMatchObject(NETWORK);
    const made = await client.create<Booking>('booking', booking);
    expect((await client.list('booking', 'mine').page()).items).toHaveLength(1);
    const update = () => client.update<Booking>('booking', made.id, 1, change);
    phone.lost = 'PUT';
    await expect(update()).rejects.toMatchObject(NETWORK);
    expect((await update()).version).toBe(2);
    const remove = () => client.remove('booking', made.id, { version: 2 });
    phone.lost = 'DELETE';
    await expect(remove()).rejects.toMatchObject(NETWORK);
    await remove();
  });

  test('after a lost answer and a deletion, the same booking is a new record', async () => {
    const { client, phone } = start();
    await client.me();
    phone.lost = 'POST';
    await expect(client.create('booking', booking)).rejects.toMatchObject(NETWORK);
    const mine = client.list<Own<Booking>>('booking', 'mine');
    const [lost] = (await mine.page()).items;
    await client.remove('booking', lost?.id ?? '');
    const made = await client.create<Booking>('booking', booking);
    expect(made.id).not.toBe(lost?.id);
    expect((await mine.page()).items).toEqual([made]);
  });

  test('never mix two users: a list that began as one is USER_CHANGED as the other', async () => {
    const { client, phone } = start();
    for (let n = 0; n < 21; n++) await client.create('booking', { ...booking, note: `booking ${n}` });
    const mine = client.list<Own<Booking>>('booking', 'mine');
    const { next } = await mine.page();
    phone.person = 'somebody-else';
    await client.loginWechat();
    await expect(mine.page(next)).rejects.toMatchObject({ code: 'USER_CHANGED' });
    expect(await client.list('booking', 'mine').page()).toEqual({ items: [] });
  });

  test('are confirmed by the shop’s server app for the user that it names', async () => {
    const { client } = start();
    const made = await client.create<Booking>('booking', booking);
    const shop = createClient({ baseUrl: stack.url, ...server, transport: fetchTransport(fetch) });
    const { userId } = made;
    const members = { day: made.day, note: made.note, status: 'confirmed' };
    expect((await shop.update<Booking>('booking', made.id, 1, members, { user: userId })).status).toBe('confirmed');
    const own = await shop.create<Booking>('booking', { ...booking, userId, status: 'confirmed' });
    const confirmed = client.list<Own<Booking>>('booking', 'mine-by-status', { status: 'confirmed' });
    expect((await confirmed.page()).items.map(({ id }) => id)).toEqual([own.id, made.id]);
    await shop.remove('booking', own.id, { user: userId });
    expect((await confirmed.page()).items).toHaveLength(1);
  });
});
