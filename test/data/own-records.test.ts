import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { BOOKING, codeOf, type OwnRecordWorld, type Person, startOwnRecordWorld } from '../support/own-record-world.ts';
import type { TestAnswer } from '../support/stack.ts';

let world: OwnRecordWorld;
let { send, newPerson, create, mine } = {} as OwnRecordWorld;
let owner: Person;
beforeAll(async () => {
  world = await startOwnRecordWorld();
  ({ send, newPerson, create, mine } = world);
  owner = await newPerson();
});
const newKey = randomUUID;

describe('a record of one’s own', () => {
  test('is created, read, listed, changed and deleted', async () => {
    const person = await newPerson();
    expect(await mine(person)).toEqual([]);
    const created = await create(person);
    expect(created.status).toBe(201);
    const { id } = created.body;
    expect(created.body).toEqual({
      id: expect.stringMatching(/^[1-9]\d{0,15}$/),
      userId: person.userId,
      ...BOOKING,
      status: 'requested',
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
      version: 1,
    });
    const read = async () => (await send('GET', `booking/${id}`, undefined, { as: person })).body;
    expect(await read()).toEqual(created.body);
    expect(await mine(person)).toEqual([created.body]);

    const changes = { day: '2030-06-02', note: '', status: 'cancelled' };
    const changed = await send('PUT', `booking/${id}`, changes, { as: person, version: 1 });
    expect([changed.status, changed.body]).toEqual([200, { ...created.body, ...changes, version: 2 }]);
    expect(await read()).toEqual(changed.body);
    expect(await mine(person)).toEqual([changed.body]);
    expect(await mine(person, 'list=mine-by-status&status=requested')).toEqual([]);
    expect(await mine(person, 'list=mine-by-status&status=cancelled')).toEqual([changed.body]);

    const deleted = await send('DELETE', `booking/${id}`, undefined, { as: person, version: 2 });
    expect([deleted.status, deleted.text]).toEqual([204, '']);
    expect((await read()).code).toBe('NOT_FOUND');
    expect(await mine(person)).toEqual([]);
    expect((await send('DELETE', `booking/${id}`, undefined, { as: person })).status).toBe(204);
    await world.stack.mysql.query('UPDATE bookings SET deleted_at = NOW(3) - INTERVAL 25 HOUR WHERE id = ?', [id]);
    expect(codeOf(await send('DELETE', `booking/${id}`, undefined, { as: person }))).toEqual([404, 'NOT_FOUND']);
  });

  test('answers alike when it is another user’s, deleted, or was never made', async () => {
    const { id } = (await create(owner)).body;
    const gone = (await create(owner)).body.id;
    await send('DELETE', `booking/${gone}`, undefined, { as: owner });
    const other = await newPerson();
    const told = ({ status, body }: TestAnswer) => JSON.stringify([status, { ...body, requestId: '', instance: '' }]);
    for (const method of ['GET', 'PUT', 'DELETE']) {
      const body = method === 'PUT' ? { day: '2030-01-01' } : undefined;
      const sent = { as: other, ...(method === 'PUT' && { version: 1 }) };
      const answers = [];
      for (const which of [id, gone, '4242424242']) answers.push(await send(method, `booking/${which}`, body, sent));
      expect(new Set(answers.map(told)).size).toBe(1);
      expect(codeOf(answers[0] as TestAnswer)).toEqual([404, 'NOT_FOUND']);
    }
    expect((await send('GET', `booking/${id}`, undefined, { as: owner })).status).toBe(200);
  });

  test('of another resource than users write, or of none, is refused', async () => {
    for (const resource of ['notice', 'voucher', 'nothing']) {
      expect(codeOf(await create(owner, BOOKING, newKey(), resource))).toEqual([404, 'UNKNOWN_RESOURCE']);
    }
  });

  test.each([
    ['a member that does not exist', { ...BOOKING, price: 1 }, 'price'],
    ['an owner’s id, without the permission', { ...BOOKING, id: '7' }, 'id'],
    ['a state that only the shop gives', { ...BOOKING, status: 'confirmed' }, 'status'],
    ['a day that does not exist', { ...BOOKING, day: '2030-02-30' }, 'day'],
    ['a service that does not exist', { ...BOOKING, serviceId: '99999' }, 'serviceId'],
    ['a service that is no id', { ...BOOKING, serviceId: '1 OR 1' }, 'serviceId'],
    ['no service', { day: '2030-05-01' }, 'serviceId'],
    ['control characters', { ...BOOKING, note: 'a\u0007b' }, 'note'],
  ])('with %s is refused and nothing is stored', async (_, members, path) => {
    const person = await newPerson();
    const answer = await create(person, members);
    expect(answer).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT', errors: [{ path }] } });
    expect(await mine(person)).toEqual([]);
  });
});

describe('the same key', () => {
  test('is the same record, whatever happened to it since', async () => {
    const person = await newPerson();
    const key = newKey();
    const first = await create(person, BOOKING, key);
    expect((await create(person, BOOKING, key)).body).toEqual(first.body);
    expect(await mine(person)).toHaveLength(1);
    await send('DELETE', `booking/${first.body.id}`, undefined, { as: person });
    expect(codeOf(await create(person, BOOKING, key))).toEqual([201, undefined]);
    expect(await mine(person)).toHaveLength(0);
  });

  test('with other members is refused; of another user it is another record', async () => {
    const [person, other] = [await newPerson(), await newPerson()];
    const key = newKey();
    const first = await create(person, BOOKING, key);
    expect(codeOf(await create(person, { ...BOOKING, note: 'else' }, key))).toEqual([422, 'IDEMPOTENCY_KEY_REUSED']);
    const second = await create(other, BOOKING, key);
    expect(second.status).toBe(201);
    expect(second.body.id).not.toBe(first.body.id);
    expect(codeOf(await send('POST', 'booking', BOOKING, { as: person }))).toEqual([400, 'MISSING_IDEMPOTENCY_KEY']);
  });
});

describe('the quota', () => {
  test('holds for calls at once, and a deletion makes room', async () => {
    const person = await newPerson();
    await fillBookings(person.userId, 97);
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(person)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(3);
    const refused = answers.filter(({ status }) => status !== 201);
    expect(new Set(refused.map((answer) => codeOf(answer).join()))).toEqual(new Set(['409,QUOTA_REACHED']));
    const [made] = answers.filter(({ status }) => status === 201);
    await send('DELETE', `booking/${made?.body.id}`, undefined, { as: person });
    expect((await create(person)).status).toBe(201);
  });

  async function fillBookings(userId: string, count: number) {
    const rows = Array.from({ length: count }, (_, i) => [
      String(7_000_000 + i),
      userId,
      1,
      '2030-01-01',
      '',
      'requested',
      new Date('2026-01-01'),
    ]);
    await world.stack.mysql.query(
      'INSERT INTO bookings (id, user_id, service_id, day, note, status, created_at) VALUES ?',
      [rows],
    );
  }
});

test('costs two or three requests to Redis and one to MySQL', async () => {
  const person = await newPerson();
  await send('GET', 'service/1', undefined, {});
  await create(person);
  const { cost } = world;
  const created = await cost(() => create(person));
  expect([created.status, created.cost]).toEqual([201, [3, 1]]);
  const path = `booking/${created.body.id}`;
  await send('GET', path, undefined, { as: person });
  const changes = { day: '2030-01-02', note: '', status: 'requested' };
  const changed = await cost(() => send('PUT', path, changes, { as: person, version: 1 }));
  expect([changed.status, changed.cost]).toEqual([200, [2, 1]]);
  const deleted = await cost(() => send('DELETE', path, undefined, { as: person }));
  expect([deleted.status, deleted.cost]).toEqual([204, [2, 1]]);
});
