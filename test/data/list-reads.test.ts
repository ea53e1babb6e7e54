import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { getResource } from '../../shared/data/resources.ts';
import { deleteResource, putResource } from '../../shared/data/write.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
let sessions: ReturnType<typeof sessionsOf>;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp();
  sessions = sessionsOf(stack, app);
});
beforeEach(() => stack.flush());

const list = (resource: string, query: string, more: { session?: string; app?: TestApp } = {}) =>
  stack.call(more.app ?? app, 'GET', `/data/${resource}`, { query, ...more });
async function walk(resource: string, query: string, session?: string): Promise<Array<{ id: string }>> {
  const found = [];
  for (let after = ''; ; ) {
    const answer = await list(resource, after ? `${query}&after=${after}` : query, session ? { session } : {});
    expect(answer.status).toBe(200);
    found.push(...answer.body.items);
    if (!answer.body.next) return found;
    after = answer.body.next;
  }
}
const cost = async (work: () => Promise<unknown>): Promise<[redis: number, mysql: number]> => {
  await stack.resetCounters();
  await work();
  const { redisRequests, mysqlRequests } = await stack.counters();
  return [redisRequests, mysqlRequests];
};

describe('a list', () => {
  test('has its records in order, in pages, each once', async () => {
    const ids = (await walk('service', 'list=cheapest&limit=50')).map(({ id }) => id);
    const [rows] = await stack.mysql.query('SELECT id FROM services WHERE deleted_at IS NULL ORDER BY price_fen, id');
    expect(ids).toEqual((rows as Array<{ id: number }>).map(({ id }) => String(id)));
    const newest = await walk('notice', 'list=newest');
    const [notices] = await stack.mysql.query('SELECT id FROM notices ORDER BY published_at DESC, id DESC');
    expect(newest.map(({ id }) => id)).toEqual((notices as Array<{ id: number }>).map(({ id }) => String(id)));
  });

  test('shows the declared members, and the ids as strings', async () => {
    const { body } = await list('service', 'list=by-category&category=pets&limit=20');
    expect(Object.keys(body.items[0])).toEqual(['id', 'name', 'priceFen', 'category']);
    expect(new Set(body.items.map(({ category }: { category: string }) => category))).toEqual(new Set(['pets']));
    expect(body.items).toHaveLength(20);
  });

  test('costs two requests to Redis and one to MySQL at a miss, and one and none at a hit', async () => {
    await list('service', 'ids=1');
    expect(await cost(() => list('service', 'list=cheapest'))).toEqual([2, 1]);
    expect(await cost(() => list('service', 'list=cheapest'))).toEqual([1, 0]);
    const again = await list('service', 'list=cheapest');
    expect(again.headers.get('x-cache')).toBe('hit');
  });

  test('of a user has the records of this user alone', async () => {
    const [userId = '', other = ''] = await sessions.newUsers(2);
    const voucher = getResource('voucher');
    const members = { title: 'one', amountFen: 100, expiresAt: '2030-01-01T00:00:00.000Z' };
    await putResource(voucher, '9001', { ...members, userId });
    await putResource(voucher, '9002', { ...members, userId: other });
    const { token } = await sessions.openAt(userId);
    const { body } = await list('voucher', 'list=mine', { session: token });
    expect(body).toEqual({ items: [{ id: '9001', userId, ...members }] });
    expect((await list('voucher', 'list=mine')).body.code).toBe('LOGIN_REQUIRED');
  });
});

describe('after a write through this service', () => {
  test('no page lacks it: a change, a new record, a deletion', async () => {
    const service = getResource('service');
    const members = { name: 'first', description: 'd', priceFen: 1, category: 'home' };
    await list('service', 'list=cheapest');
    await putResource(service, '5000', members);
    const first = async (query = 'list=cheapest') => (await list('service', query)).body.items[0];
    expect(await first()).toEqual({ id: '5000', name: 'first', priceFen: 1, category: 'home' });
    await putResource(service, '5000', { ...members, name: 'changed' });
    expect((await first()).name).toBe('changed');
    expect(await deleteResource(service, '5000')).toBe(true);
    expect((await first()).id).not.toBe('5000');
  });

  test('a record that an operator moves to another user leaves one list and enters the other', async () => {
    const [from = '', to = ''] = await sessions.newUsers(2);
    const voucher = getResource('voucher');
    const members = { title: 'moved', amountFen: 100, expiresAt: '2030-01-01T00:00:00.000Z' };
    await putResource(voucher, '9100', { ...members, userId: from });
    const [a, b] = [await sessions.openAt(from), await sessions.openAt(to)];
    const mine = async (session: string) => (await list('voucher', 'list=mine', { session })).body.items.length;
    expect([await mine(a.token), await mine(b.token)]).toEqual([1, 0]);
    await putResource(voucher, '9100', { ...members, userId: to });
    expect([await mine(a.token), await mine(b.token)]).toEqual([0, 1]);
  });
});

describe('refused before any engine is asked', () => {
  const cursor = async (query: string, more = {}) => (await list('service', query, more)).body.next as string;

  test.each([
    ['an unknown list', 'list=dearest', 'query.list'],
    ['an unknown filter', 'list=cheapest&category=pets', 'query.category'],
    ['an unknown value', 'list=by-category&category=boats', 'query.category'],
    ['a missing filter', 'list=by-category', 'query.category'],
    ['a size off the list', 'list=cheapest&limit=21', 'query.limit'],
    ['an invented cursor', 'list=cheapest&after=MS4xLjE.AAAAAAAAAAAAAAAA', 'query.after'],
    ['ids beside a list', 'list=cheapest&ids=1', 'query.ids'],
    ['neither', '', 'query'],
  ])('%s', async (_, query, path) => {
    await list('service', 'ids=1');
    await stack.resetCounters();
    const answer = await list('service', query);
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT', errors: [{ path }] } });
    expect(await stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });

  test('a cursor of another list, another value, another app, and an altered one', async () => {
    const next = await cursor('list=cheapest&limit=20');
    const other = await stack.createApp();
    const altered = `${next.slice(0, 3)}${next[3] === 'A' ? 'B' : 'A'}${next.slice(4)}`;
    const tries: Array<[string, TestApp]> = [
      [`list=by-category&category=home&after=${next}`, app],
      [`list=cheapest&after=${next}`, other],
      [`list=cheapest&after=${altered}`, app],
    ];
    for (const [query, caller] of tries) expect((await list('service', query, { app: caller })).status).toBe(400);
    expect((await list('service', `list=cheapest&limit=50&after=${next}`)).status).toBe(200);
  });
});
