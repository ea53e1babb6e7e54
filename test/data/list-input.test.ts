import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type DataWorld, startDataWorld } from '../support/data-world.ts';
import type { Person } from '../support/own-record-world.ts';
import type { TestApp } from '../support/stack.ts';
import { tableSums } from '../support/table-sums.ts';

/** Lists with wrong parameters and cursors: refused with one code, without an engine, and nothing is changed. */
let world: DataWorld;
let person: Person;
let stranger: Person;
let otherApp: TestApp;
let personThere: Person;
let sums: Record<string, string>;
beforeAll(async () => {
  world = await startDataWorld();
  [person, stranger] = [await world.newPerson(), await world.newPerson()];
  otherApp = await world.stack.createApp({ scopes: ['data:read', 'data:own'] });
  personThere = await world.at(otherApp, person);
  for (const { userId } of [person, stranger]) await fillBookings(userId, 45);
  // The authorizer knows both apps.
  for (const app of [world.app, otherApp]) await world.send('GET', 'service/1', undefined, { app });
  sums = await tableSums(world.stack.mysql);
});
beforeEach(() => world.stack.resetCounters());
afterAll(async () => {
  expect(await tableSums(world.stack.mysql)).toEqual(sums);
});

async function fillBookings(userId: string, count: number): Promise<void> {
  const first = Math.floor(Math.random() * 2 ** 40);
  const rows = Array.from({ length: count }, (_, i) => {
    const at = new Date(Date.UTC(2026, 0, 1, 0, i));
    return [first + i, userId, 1, '2030-01-01', '', i % 2 ? 'requested' : 'done', at];
  });
  const columns = 'id, user_id, service_id, day, note, status, created_at';
  await world.stack.mysql.query(`INSERT INTO bookings (${columns}) VALUES ?`, [rows]);
}

const list = (path: string, query: string, as?: Person, app = world.app) =>
  world.send('GET', path, undefined, { query, app, ...(as && { as }) });

async function expectRefused(
  path: string,
  query: string,
  member: string,
  as: Person | undefined = person,
  app = world.app,
) {
  const answer = await list(path, query, as, app);
  const refusal = { status: 400, body: { code: 'INVALID_INPUT', errors: [{ path: member }] } };
  expect(answer, `${path}?${query.slice(0, 200)}`).toMatchObject(refusal);
  expect(await world.stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
}

test.each([
  ['an unknown list', 'service', 'list=dearest', 'query.list'],
  ['a list of another resource', 'service', 'list=newest', 'query.list'],
  ['a list that every object has', 'service', 'list=constructor', 'query.list'],
  ['an empty name', 'service', 'list=', 'query.list'],
  ['a name in capitals', 'service', 'list=Cheapest', 'query.list'],
  ['a name with a space', 'service', 'list=cheapest%20', 'query.list'],
  ['a resource without that list', 'photo', 'list=newest', 'query.list'],
  ['a filter of another list', 'service', 'list=cheapest&category=home', 'query.category'],
  ['an unknown parameter', 'service', 'list=cheapest&order=name', 'query.order'],
  ['a parameter that every object has', 'service', 'list=cheapest&constructor=1', 'query.constructor'],
  ['a parameter that functions have', 'service', 'list=cheapest&prototype=1', 'query.prototype'],
  ['the parameter __proto__', 'service', 'list=cheapest&__proto__=1', 'query.__proto__'],
  ['the owner as a parameter', 'booking', 'list=mine&userId=u', 'query.userId'],
  ['the user as a parameter', 'service', 'list=cheapest&user=u', 'query.user'],
  ['a missing filter', 'service', 'list=by-category', 'query.category'],
  ['an empty filter', 'service', 'list=by-category&category=', 'query.category'],
  ['a filter value in capitals', 'service', 'list=by-category&category=HOME', 'query.category'],
  ['a filter value that every object has', 'service', 'list=by-category&category=toString', 'query.category'],
  ['SQL as a filter value', 'service', `list=by-category&category=home'%20OR%201=1%20--`, 'query.category'],
  ['two values in one', 'service', 'list=by-category&category=home,pets', 'query.category'],
  ['a missing id', 'review', 'list=of-service', 'query.serviceId'],
  ['an id that is no number', 'review', 'list=of-service&serviceId=one', 'query.serviceId'],
  ['an id of zero', 'review', 'list=of-service&serviceId=0', 'query.serviceId'],
  ['a negative id', 'review', 'list=of-service&serviceId=-1', 'query.serviceId'],
  ['an id with a leading zero', 'review', 'list=of-service&serviceId=01', 'query.serviceId'],
  ['an id of 17 digits', 'review', 'list=of-service&serviceId=12345678901234567', 'query.serviceId'],
  ['an id in full-width digits', 'review', 'list=of-service&serviceId=%EF%BC%91', 'query.serviceId'],
  ['a size off the list', 'service', 'list=cheapest&limit=21', 'query.limit'],
  ['a size of zero', 'service', 'list=cheapest&limit=0', 'query.limit'],
  ['a negative size', 'service', 'list=cheapest&limit=-20', 'query.limit'],
  ['a size with a sign', 'service', 'list=cheapest&limit=%2B20', 'query.limit'],
  ['a size as 20.0', 'service', 'list=cheapest&limit=20.0', 'query.limit'],
  ['a size as 2e1', 'service', 'list=cheapest&limit=2e1', 'query.limit'],
  ['an empty size', 'service', 'list=cheapest&limit=', 'query.limit'],
  ['a huge size', 'service', `list=cheapest&limit=${'9'.repeat(400)}`, 'query.limit'],
  ['two lists', 'service', 'list=cheapest&list=cheapest', 'query.list'],
  ['two values of a filter', 'service', 'list=by-category&category=home&category=pets', 'query.category'],
  ['the same value of a filter twice', 'service', 'list=by-category&category=home&category=home', 'query.category'],
  ['two ids', 'review', 'list=of-service&serviceId=1&serviceId=2', 'query.serviceId'],
  ['two sizes', 'service', 'list=cheapest&limit=20&limit=20', 'query.limit'],
  ['list together with ids', 'service', 'list=cheapest&ids=1', 'query.ids'],
  ['ids together with an unknown list', 'service', 'ids=1&list=x', 'query.list'],
  ['ids together with a size', 'service', 'ids=1&limit=20', 'query'],
  ['a filter without a list', 'service', 'category=home', 'query'],
])('%s is refused', async (_, path, query, member) => {
  await expectRefused(path, query, member);
});

describe('a cursor', () => {
  const next = async (path: string, query: string, as = person, app = world.app): Promise<string> => {
    const { body } = await list(path, query, as, app);
    expect(body.next).toMatch(/^[\w-]+\.[\w-]{16}$/);
    await world.stack.resetCounters();
    return body.next;
  };
  const refused = (path: string, query: string, as?: Person, app?: TestApp) =>
    expectRefused(path, query, 'query.after', as, app);

  test('of another list, another resource or other filter values is refused', async () => {
    const cheapest = await next('service', 'list=cheapest');
    const home = await next('service', 'list=by-category&category=home');
    await refused('service', `list=by-category&category=home&after=${cheapest}`);
    await refused('service', `list=cheapest&after=${home}`);
    await refused('service', `list=by-category&category=pets&after=${home}`);
    await refused('notice', `list=newest&after=${cheapest}`);
    const done = await next('booking', 'list=mine-by-status&status=done');
    const mine = await next('booking', 'list=mine');
    await refused('booking', `list=mine-by-status&status=requested&after=${done}`);
    await refused('booking', `list=mine&after=${done}`);
    await refused('review', `list=mine&after=${mine}`);
    await refused('photo', `list=mine&after=${mine}`);
  });

  test('of another user or another app is refused, also for the same user', async () => {
    const mine = await next('booking', 'list=mine');
    await refused('booking', `list=mine&after=${mine}`, stranger);
    await refused('booking', `list=mine&after=${mine}`, personThere, otherApp);
    await refused('service', `list=cheapest&after=${await next('service', 'list=cheapest')}`, personThere, otherApp);
    const right = await list('booking', `list=mine&after=${mine}`, person);
    expect(right.body.items).toHaveLength(20);
  });

  test('that is altered by one character, shortened, doubled or extended is refused', async () => {
    const cursor = await next('service', 'list=cheapest');
    for (let place = 0; place < cursor.length; place++) {
      const other = cursor[place] === 'A' ? 'B' : 'A';
      await refused('service', `list=cheapest&after=${cursor.slice(0, place)}${other}${cursor.slice(place + 1)}`);
    }
    for (const wrong of [cursor.slice(1), cursor.slice(0, -1), `${cursor}A`, `A${cursor}`, cursor.split('.')[0]]) {
      await refused('service', `list=cheapest&after=${wrong}`);
    }
    for (const wrong of [`${cursor}%3D`, `%20${cursor}`, `${cursor}%00`, `${cursor}%0A`, cursor.toLowerCase()]) {
      await refused('service', `list=cheapest&after=${wrong}`);
    }
    await refused('service', `list=cheapest&after=${cursor}&after=${cursor}`);
  });

  test('that nobody issued is refused, however long', async () => {
    for (const wrong of ['x', '0', '.', 'null', '__proto__', '%F0%9F%98%80', `${'A'.repeat(40)}.${'A'.repeat(16)}`]) {
      await refused('service', `list=cheapest&after=${wrong}`);
    }
    await refused('service', `list=cheapest&after=${'A'.repeat(4_000)}.${'A'.repeat(16)}`);
    await refused('booking', 'list=mine&after=MS4xLjE.AAAAAAAAAAAAAAAA');
    // API Gateway itself refuses a line and headers of more than 10 KB.
    const long = await list('service', `list=cheapest&after=${'A'.repeat(10_240)}`);
    expect([400, 414, 431]).toContain(long.status);
    expect(await world.stack.counters()).toMatchObject({ redisRequests: 0, mysqlRequests: 0 });
  });

  test('continues the list with another size of page', async () => {
    const cursor = await next('service', 'list=cheapest&limit=20');
    const all = (await list('service', 'list=cheapest&limit=50')).body.items;
    const rest = (await list('service', `list=cheapest&limit=50&after=${cursor}`)).body.items;
    expect(rest.slice(0, 30)).toEqual(all.slice(20));
  });
});

test('a list of one’s own shows nothing without a session, and nothing of another user', async () => {
  const answer = await list('booking', 'list=mine', undefined);
  expect([answer.status, answer.body.code]).toEqual([401, 'LOGIN_REQUIRED']);
  const owners = new Set<string>();
  for (const as of [person, stranger]) {
    const { body } = await list('booking', 'list=mine&limit=50', as);
    expect(body.items).toHaveLength(45);
    for (const { userId } of body.items) owners.add(`${as.userId} sees ${userId}`);
  }
  expect([...owners]).toEqual([person, stranger].map(({ userId }) => `${userId} sees ${userId}`));
});
