import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { type DataWorld, startDataWorld } from '../support/data-world.ts';
import { BOOKING, codeOf, type Person } from '../support/own-record-world.ts';

/** What lists and own records cost: requests to Redis and to MySQL, counted. */
let world: DataWorld;
let person: Person;
beforeAll(async () => {
  world = await startDataWorld();
  await world.buildFilters();
  person = await world.newPerson();
  // The authorizer knows the app, Redis the session and the service that bookings name.
  await world.send('GET', 'booking', undefined, { as: person, query: 'ids=1' });
  await world.send('GET', 'service/1');
});

const list = (path: string, query: string, as?: Person) =>
  world.cost(() => world.send('GET', path, undefined, { query, ...(as && { as }) }));
const write = (method: string, path: string, body: unknown, sent: Parameters<DataWorld['send']>[3] = {}) =>
  world.cost(() => world.send(method, path, body, { as: person, ...sent }));
const create = (members: object = BOOKING, key = randomUUID()) => world.cost(() => world.create(person, members, key));
const CHANGES = { day: '2030-06-01', note: 'changed', status: 'requested' };

/** A booking of the person; `cached`: it was read since. */
async function booking({ cached }: { cached: boolean }): Promise<string> {
  const path = `booking/${(await world.create(person)).body.id}`;
  if (cached) await world.send('GET', path, undefined, { as: person });
  return path;
}

describe('a page of a list', () => {
  test('costs two requests and one statement at a miss, then one request', async () => {
    const first = await list('service', 'list=cheapest');
    expect([first.cost, first.answer.headers.get('x-cache')]).toEqual([[2, 1], 'miss']);
    const again = await list('service', 'list=cheapest');
    expect([again.cost, again.answer.headers.get('x-cache')]).toEqual([[1, 0], 'hit']);
    const next = `list=cheapest&after=${again.answer.body.next}`;
    expect([(await list('service', next)).cost, (await list('service', next)).cost]).toEqual([
      [2, 1],
      [1, 0],
    ]);
  });

  test('of a user costs the same', async () => {
    await world.create(person);
    expect((await list('booking', 'list=mine', person)).cost).toEqual([2, 1]);
    const { answer, cost } = await list('booking', 'list=mine', person);
    expect([cost, answer.body.items.length]).toEqual([[1, 0], 1]);
  });

  test('without items is cached too', async () => {
    const query = 'list=mine-by-status&status=done';
    expect((await list('booking', query, person)).cost).toEqual([2, 1]);
    const { answer, cost } = await list('booking', query, person);
    expect([cost, answer.body, answer.headers.get('x-cache')]).toEqual([[1, 0], { items: [] }, 'hit']);
  });

  test('of a service that does not exist asks no MySQL, and leaves nothing in Redis', async () => {
    const keys = async () => (await world.stack.redis.keys('*:cache:*')).length;
    const before = await keys();
    for (const id of ['99999', '123456789']) {
      const { answer, cost } = await list('review', `list=of-service&serviceId=${id}`);
      expect([cost, answer.status, answer.body]).toEqual([[1, 0], 200, { items: [] }]);
      expect(answer.headers.get('x-cache')).toBe('null');
    }
    expect(await keys()).toBe(before);
  });
});

describe('refused without asking an engine', () => {
  test.each([
    ['an unknown list', 'service', 'list=dearest'],
    ['a list of another resource', 'service', 'list=newest'],
    ['an unknown filter', 'service', 'list=cheapest&category=pets'],
    ['an unknown filter value', 'service', 'list=by-category&category=boats'],
    ['an id that is none', 'review', 'list=of-service&serviceId=x'],
    ['a wrong size', 'service', 'list=cheapest&limit=21'],
    ['an invented cursor', 'service', 'list=cheapest&after=MS4xLjE.AAAAAAAAAAAAAAAA'],
    ['an invented cursor of a user’s list', 'booking', 'list=mine&after=MS4xLjE.AAAAAAAAAAAAAAAA'],
  ])('%s', async (_, path, query) => {
    const { answer, cost } = await list(path, query, person);
    expect([codeOf(answer), cost]).toEqual([
      [400, 'INVALID_INPUT'],
      [0, 0],
    ]);
  });

  test('a list of one’s own without a session', async () => {
    const { answer, cost } = await list('booking', 'list=mine');
    expect([codeOf(answer), cost]).toEqual([
      [401, 'LOGIN_REQUIRED'],
      [0, 0],
    ]);
  });

  test.each<[string, string, string, unknown, Parameters<DataWorld['send']>[3], [number, string]]>([
    ['a creation without a key', 'POST', 'booking', BOOKING, {}, [400, 'MISSING_IDEMPOTENCY_KEY']],
    ['an unknown member', 'POST', 'booking', { ...BOOKING, x: 1 }, { key: 'k'.repeat(16) }, [400, 'INVALID_INPUT']],
    ['a resource of the operator', 'POST', 'notice', {}, { key: 'k'.repeat(16) }, [404, 'UNKNOWN_RESOURCE']],
    ['a change without a version', 'PUT', 'booking/1', CHANGES, {}, [428, 'MISSING_VERSION']],
    ['a version that is none', 'PUT', 'booking/1', CHANGES, { version: '*' }, [400, 'INVALID_INPUT']],
    [
      'a deletion of a version that is none',
      'DELETE',
      'booking/1',
      undefined,
      { version: '1' },
      [400, 'INVALID_INPUT'],
    ],
    ['a user whom the app may not name', 'DELETE', 'booking/1', undefined, { query: 'user=u' }, [403, 'SCOPE_DENIED']],
  ])('%s', async (_, method, path, body, sent, refusal) => {
    const { answer, cost } = await write(method, path, body, sent);
    expect([codeOf(answer), cost]).toEqual([refusal, [0, 0]]);
  });
});

describe('a creation', () => {
  test('costs three requests and one statement', async () => {
    const { answer, cost } = await create();
    expect([answer.status, cost]).toEqual([201, [3, 1]]);
  });

  test('costs no more when what it names is not in the cache, and one look for the key when the filter does not know it', async () => {
    expect((await create({ ...BOOKING, serviceId: '7' })).cost).toEqual([3, 1]);
    const absent = await create({ ...BOOKING, serviceId: '99999' });
    expect([codeOf(absent.answer), absent.cost]).toEqual([
      [400, 'INVALID_INPUT'],
      [1, 1],
    ]);
  });

  test('costs two statements when the key was used before', async () => {
    const key = randomUUID();
    await create(BOOKING, key);
    const repeated = await create(BOOKING, key);
    expect([repeated.answer.status, repeated.cost]).toEqual([201, [3, 2]]);
    const other = await create({ ...BOOKING, note: 'other' }, key);
    expect([codeOf(other.answer), other.cost]).toEqual([
      [422, 'IDEMPOTENCY_KEY_REUSED'],
      [3, 2],
    ]);
  });

  test('costs two statements when the quota is reached', async () => {
    const rows = Array.from({ length: 100 }, (_, i) => [8_000_000 + i, person.userId]);
    await world.stack.mysql.query(
      `INSERT INTO bookings (id, user_id, service_id, day, note, status, created_at)
       SELECT t.id, t.user_id, 1, '2030-01-01', '', 'done', NOW(3)
         FROM (${rows.map(() => 'SELECT ? AS id, ? AS user_id').join(' UNION ALL ')}) t`,
      rows.flat(),
    );
    const { answer, cost } = await create();
    expect(codeOf(answer)).toEqual([409, 'QUOTA_REACHED']);
    expect(cost).toEqual([3, 2]);
    await world.stack.mysql.query('DELETE FROM bookings WHERE id BETWEEN 8000000 AND 8000099');
  });
});

describe('a change', () => {
  test('costs two requests and one statement, and one more statement if the record is not in the cache', async () => {
    const cached = await write('PUT', await booking({ cached: true }), CHANGES, { version: 1 });
    expect([cached.answer.status, cached.cost]).toEqual([200, [2, 1]]);
    const loaded = await write('PUT', await booking({ cached: false }), CHANGES, { version: 1 });
    expect([loaded.answer.status, loaded.cost]).toEqual([200, [2, 2]]);
  });

  test('that is refused costs one request and at most two statements', async () => {
    const path = await booking({ cached: true });
    const old = await write('PUT', path, CHANGES, { version: 9 });
    expect([codeOf(old.answer), old.cost]).toEqual([
      [412, 'VERSION_MISMATCH'],
      [1, 2],
    ]);
    const stranger = await world.newPerson();
    await world.send('GET', 'booking/1', undefined, { as: stranger });
    const foreign = await write('PUT', path, CHANGES, { as: stranger, version: 1 });
    expect([codeOf(foreign.answer), foreign.cost]).toEqual([
      [404, 'NOT_FOUND'],
      [1, 1],
    ]);
    const absent = await write('PUT', 'booking/424242', CHANGES, { version: 1 });
    expect([codeOf(absent.answer), absent.cost]).toEqual([
      [404, 'NOT_FOUND'],
      [1, 0],
    ]);
  });
});

describe('a deletion', () => {
  test('costs two requests and one statement, cached or not', async () => {
    for (const cached of [true, false]) {
      const { answer, cost } = await write('DELETE', await booking({ cached }), undefined);
      expect([answer.status, cost]).toEqual([204, [2, 1]]);
    }
  });

  test('that is refused or repeated costs two statements', async () => {
    const path = await booking({ cached: true });
    const old = await write('DELETE', path, undefined, { version: 9 });
    expect([codeOf(old.answer), old.cost]).toEqual([
      [412, 'VERSION_MISMATCH'],
      [1, 2],
    ]);
    await world.send('DELETE', path, undefined, { as: person });
    const again = await write('DELETE', path, undefined);
    expect([again.answer.status, again.cost]).toEqual([204, [2, 2]]);
    const absent = await write('DELETE', 'booking/424242', undefined);
    expect([codeOf(absent.answer), absent.cost]).toEqual([
      [404, 'NOT_FOUND'],
      [1, 2],
    ]);
  });

  test('is repeated with success also when the filter was built after it', async () => {
    const path = await booking({ cached: true });
    await world.send('DELETE', path, undefined, { as: person });
    await world.stack.flush();
    await world.buildFilters();
    expect((await world.send('DELETE', path, undefined, { as: person })).status).toBe(204);
    expect(codeOf(await world.send('PUT', path, CHANGES, { as: person, version: 1 }))).toEqual([404, 'NOT_FOUND']);
  });
});
