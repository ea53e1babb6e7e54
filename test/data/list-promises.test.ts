import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { sessionsOf } from '../support/session-engines.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** What readers of a list are promised, on three pages of 20 records that one user has. */
let stack: TestStack;
let app: TestApp;
let sessions: ReturnType<typeof sessionsOf>;
let userId: string;
let readers: [first: string, second: string];
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp({ scopes: ['data:read', 'data:own'] });
  sessions = sessionsOf(stack, app);
});

let lastId = 1_000_000;
beforeEach(async () => {
  stack.faults.mysql = undefined;
  [userId = ''] = await sessions.newUsers(1);
  readers = [(await sessions.openAt(userId)).token, (await sessions.openAt(userId)).token];
  // The sweep covers the last minute, and these rows are older. The newest has the largest id.
  const rows = Array.from({ length: 60 }, (_, i) => [
    ...[++lastId, userId, 1, '2030-01-01', `note ${i}`, 'requested'],
    ...[new Date(1_767_225_600_000 + i * 1000), new Date(Date.now() - 3_600_000)],
  ]);
  await stack.mysql.query(
    'INSERT INTO bookings (id, user_id, service_id, day, note, status, created_at, updated_at) VALUES ?',
    [rows],
  );
});

interface Booking {
  id: string;
  note: string;
  version: number;
}
interface Walk {
  items: Booking[];
  caches: Array<string | null>;
}
const page = (session: string, after = '') =>
  stack.call(app, 'GET', '/data/booking', { query: `list=mine${after && `&after=${after}`}`, session });

/** Reads all pages. `between` runs after each. */
async function walk(session: string, between = async (_page: number): Promise<void> => {}): Promise<Walk> {
  const read: Walk = { items: [], caches: [] };
  for (let after = ''; ; ) {
    const { status, body, headers } = await page(session, after);
    expect(status).toBe(200);
    read.items.push(...body.items);
    read.caches.push(headers.get('x-cache'));
    if (!body.next) return read;
    await between(read.caches.length);
    after = body.next;
  }
}
const record = (method: string, { id, version }: Booking, body?: object) =>
  stack.call(app, method, `/data/booking/${id}`, {
    session: readers[0],
    headers: { 'if-match': `"${version}"` },
    ...(body && { body }),
  });
const changeBySql = (note: string, { id }: Booking) =>
  stack.mysql.query('UPDATE bookings SET note = ?, version = version + 1 WHERE id = ?', [note, id]);
const idsOf = ({ items }: Walk) => items.map(({ id }) => id);
const at = ({ items }: Walk, place: number) => items[place] as Booking;
const create = (note: string) =>
  stack.call(app, 'POST', '/data/booking', {
    body: { serviceId: '1', day: '2030-01-01', note },
    session: readers[0],
    headers: { 'idempotency-key': randomUUID() },
  });

describe('when one reader has read three pages of 20 records, a second reader', () => {
  let before: Walk;
  beforeEach(async () => {
    before = await walk(readers[0]);
    expect([before.items.length, before.caches]).toEqual([60, ['miss', 'miss', 'miss']]);
  });

  test('gets the same pages from the cache', async () => {
    expect(await walk(readers[1])).toEqual({ items: before.items, caches: ['hit', 'hit', 'hit'] });
  });

  test('sees a change through the API at once, on whichever page it is', async () => {
    for (const place of [3, 25, 59]) {
      const { status } = await record('PUT', at(before, place), { day: '2030-01-01', note: `changed ${place}` });
      expect(status).toBe(200);
      const after = await walk(readers[1]);
      expect(at(after, place)).toMatchObject({ note: `changed ${place}`, version: 2 });
      expect(idsOf(after)).toEqual(idsOf(before));
    }
  });

  test('sees a change by plain SQL after the next run of cache-warm, which comes within a minute', async () => {
    await changeBySql('by another tool', at(before, 25));
    expect(at(await walk(readers[1]), 25).note).toBe(at(before, 25).note);
    await stack.api.runSchedule('cache-warm');
    expect(at(await walk(readers[1]), 25).note).toBe('by another tool');
  });

  test('does not see a deleted record any more, at once, and the others move up', async () => {
    expect((await record('DELETE', at(before, 25))).status).toBe(204);
    const after = await walk(readers[1]);
    expect(idsOf(after)).toEqual(idsOf(before).filter((id) => id !== at(before, 25).id));
    expect(after.caches).toEqual(['miss', 'miss', 'miss']);
  });

  test('sees a new record at once, at its place', async () => {
    const { body } = await create('new');
    expect(idsOf(await walk(readers[1]))).toEqual([body.id, ...idsOf(before)]);
  });

  test('sees no record twice and misses none that stood before and after, with writes between the pages', async () => {
    const gone = new Set([at(before, 5).id, at(before, 20).id]);
    const after = await walk(readers[1], async (pages) => {
      if (pages === 1) {
        await create('in front of all');
        await record('DELETE', at(before, 5));
        await record('DELETE', at(before, 20));
      } else await record('PUT', at(before, 45), { day: '2030-01-01', note: 'changed on the way' });
    });
    const ids = idsOf(after);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.filter((id) => !gone.has(id))).toEqual(idsOf(before).filter((id) => !gone.has(id)));
    expect(after.items.find(({ id }) => id === at(before, 45).id)?.note).toBe('changed on the way');
    expect(ids).not.toContain(at(before, 20).id);
  });
});

describe('while MySQL is down', () => {
  const pageKeys = async () => (await stack.redis.keys('*:page:*')).filter((key) => !key.includes('service'));
  /** The fresh time of all cached pages has passed. */
  async function makeStale(): Promise<void> {
    for (const key of await pageKeys()) {
      const stored = (await stack.redis.get(key)) ?? '';
      await stack.redis.set(key, stored.replace(/^(.1;)\d+/, '$11'), 'KEEPTTL');
    }
  }
  const goDown = () => {
    stack.faults.mysql = () => ({ kind: 'status', status: 502, body: '' });
  };
  const answers = async () => {
    const { status, headers, body } = await page(readers[1]);
    return [status, headers.get('x-cache'), body.items?.length];
  };
  beforeEach(async () => {
    // An open circuit breaker lets one call through every two seconds.
    await expect
      .poll(async () => (await page(readers[0])).headers.get('x-cache'), { timeout: 20_000, interval: 300 })
      .toMatch(/hit|miss/);
    // The session is in the cache too.
    expect(await answers()).toEqual([200, 'hit', 20]);
  });

  test('a page is served for 240 s after its fresh time, and says that it is stale', async () => {
    const lives = await Promise.all((await pageKeys()).map((key) => stack.redis.pttl(key)));
    expect(Math.max(...lives)).toBeLessThanOrEqual(295_000);
    await makeStale();
    goDown();
    expect(await answers()).toEqual([200, 'stale', 20]);
  });

  test('no page is served that a write has ended', async () => {
    const { body } = await page(readers[0]);
    expect((await record('PUT', body.items[0], { day: '2030-01-01', note: 'the last one' })).status).toBe(200);
    goDown();
    expect(await answers()).toEqual([503, null, undefined]);
  });

  test('a page is not served after its grace time', async () => {
    for (const key of await pageKeys()) await stack.redis.del(key);
    goDown();
    expect(await answers()).toEqual([503, null, undefined]);
  });
});
