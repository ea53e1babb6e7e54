import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { getResource } from '../../shared/data/resources.ts';
import { putMembers, putResource } from '../../shared/data/write.ts';
import { BOOKING, codeOf, type OwnRecordWorld, type Person, startOwnRecordWorld } from '../support/own-record-world.ts';

let world: OwnRecordWorld;
let { send, newPerson, create, mine } = {} as OwnRecordWorld;
let owner: Person;
beforeAll(async () => {
  world = await startOwnRecordWorld();
  ({ send, newPerson, create, mine } = world);
  owner = await newPerson();
});
const newKey = randomUUID;

describe('versions', () => {
  test('of two changes at once one takes effect', async () => {
    const { id } = (await create(owner)).body;
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((note) => send('PUT', `booking/${id}`, { ...changeable, note }, { as: owner, version: 1 })),
    );
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 412, 412]);
    expect(answers.find(({ status }) => status === 412)?.body.code).toBe('VERSION_MISMATCH');
  });

  test('are needed for a change, and checked at a deletion', async () => {
    const { id } = (await create(owner)).body;
    expect(codeOf(await send('PUT', `booking/${id}`, changeable, { as: owner }))).toEqual([428, 'MISSING_VERSION']);
    for (const version of ['1', 'W/"1"', '*', '"0"', '"1", "2"']) {
      const answer = await send('PUT', `booking/${id}`, changeable, { as: owner, version });
      expect(answer.body).toMatchObject({ code: 'INVALID_INPUT', errors: [{ path: 'headers.if-match' }] });
    }
    const wrong = await send('DELETE', `booking/${id}`, undefined, { as: owner, version: 2 });
    expect(codeOf(wrong)).toEqual([412, 'VERSION_MISMATCH']);
    expect((await send('DELETE', `booking/${id}`, undefined, { as: owner, version: 1 })).status).toBe(204);
  });

  const changeable = { day: '2030-07-01', note: 'changed', status: 'requested' };

  test('a change whose answer was lost is a success when it is sent again', async () => {
    const { id } = (await create(owner)).body;
    const change = () => send('PUT', `booking/${id}`, changeable, { as: owner, version: 1 });
    const first = await change();
    expect((await change()).body).toEqual(first.body);
    world.stack.faults.mysql = dropAfterOnce('UPDATE bookings');
    const again = await send('PUT', `booking/${id}`, { ...changeable, note: 'x' }, { as: owner, version: 2 });
    world.stack.faults.mysql = undefined;
    expect([again.status, again.body.version, again.body.note]).toEqual([200, 3, 'x']);
  });

  test('fixed members cannot be sent', async () => {
    const { id } = (await create(owner)).body;
    const answer = await send('PUT', `booking/${id}`, { ...changeable, serviceId: '2' }, { as: owner, version: 1 });
    expect(answer.body).toMatchObject({ code: 'INVALID_INPUT', errors: [{ path: 'serviceId' }] });
  });
});

function dropAfterOnce(text: string) {
  let dropped = false;
  return ({ sql }: { sql?: string }) => {
    if (dropped || !sql?.includes(text)) return undefined;
    dropped = true;
    return { kind: 'drop-after' as const };
  };
}

describe('a change', () => {
  test('keeps the members that are left out', async () => {
    const { body: made } = await create(owner, { ...BOOKING, status: 'cancelled' });
    const day = '2030-09-09';
    const changed = await send('PUT', `booking/${made.id}`, { day }, { as: owner, version: 1 });
    expect(changed.body).toEqual({ ...made, day, version: 2 });
    expect((await send('GET', `booking/${made.id}`, undefined, { as: owner })).body).toEqual(changed.body);
    // Of a version that is not in the cache.
    await world.stack.flush();
    const note = '';
    const again = await send('PUT', `booking/${made.id}`, { day, note }, { as: owner, version: 2 });
    expect(again.body).toEqual({ ...made, day, note, version: 3 });
  });

  test('needs what has no default, and is sent again as it was', async () => {
    const { body: made } = await create(owner);
    const without = await send('PUT', `booking/${made.id}`, { note: 'x' }, { as: owner, version: 1 });
    expect(without.body).toMatchObject({ code: 'INVALID_INPUT', errors: [{ path: 'day' }] });
    const change = () => send('PUT', `booking/${made.id}`, { day: '2031-01-01' }, { as: owner, version: 1 });
    const first = await change();
    expect([first.status, (await change()).body]).toEqual([200, first.body]);
  });

  test('of an old version is refused after at most two questions to MySQL', async () => {
    const { body: made } = await create(owner);
    await send('PUT', `booking/${made.id}`, { day: '2031-01-01' }, { as: owner, version: 1 });
    const refused = () => send('PUT', `booking/${made.id}`, { day: '2031-01-02' }, { as: owner, version: 1 });
    const unread = await world.cost(refused);
    await send('GET', `booking/${made.id}`, undefined, { as: owner });
    const cached = await world.cost(refused);
    for (const { status, cost } of [unread, cached]) {
      expect(status).toBe(412);
      expect(cost[1]).toBeLessThanOrEqual(2);
    }
  });
});

test('a record that an operator moved meanwhile leaves and enters the right lists', async () => {
  const [from, to] = [await newPerson(), await newPerson()];
  const review = getResource('review');
  const created = (await create(from, { serviceId: '3', stars: 5, words: 'w' }, newKey(), 'review')).body;
  const { id, version: _, ...members } = created;
  const of = async (service: string) =>
    (await send('GET', 'review', undefined, { query: `list=of-service&serviceId=${service}` })).body.items.length;
  // The cached record still names service 3.
  expect((await send('GET', `review/${id}`, undefined, {})).status).toBe(200);
  await world.stack.mysql.query('UPDATE reviews SET service_id = 4 WHERE id = ?', [id]);
  expect([await of('3'), await of('4')]).toEqual([0, 1]);
  expect((await send('DELETE', `review/${id}`, undefined, { as: from })).status).toBe(204);
  expect([await of('3'), await of('4')]).toEqual([0, 0]);
  await putResource(review, id, { ...members, userId: to.userId });
  expect([(await mine(from, 'list=mine', 'review')).length, (await mine(to, 'list=mine', 'review')).length]).toEqual([
    0, 1,
  ]);
});

test('a deletion that is sent again ends the pages of the list that the record moved to', async () => {
  const review = { serviceId: '6', stars: 5, words: 'w' };
  const { id } = (await create(owner, review, newKey(), 'review')).body;
  const of = async (service: string) =>
    (await send('GET', 'review', undefined, { query: `list=of-service&serviceId=${service}` })).body.items;
  // The cached record still names service 6 after another tool has moved and deleted it.
  await send('GET', `review/${id}`, undefined, {});
  await world.stack.mysql.query('UPDATE reviews SET service_id = 7 WHERE id = ?', [id]);
  expect(await of('7')).toHaveLength(1);
  await world.stack.mysql.query('UPDATE reviews SET deleted_at = NOW(3) WHERE id = ?', [id]);
  expect(await of('7')).toHaveLength(1);
  expect((await send('DELETE', `review/${id}`, undefined, { as: owner })).status).toBe(204);
  expect(await of('7')).toEqual([]);
});

test('a creation that is sent again is the same record, although the service that it names is gone', async () => {
  const { id: serviceId } = await world.newService();
  const [key, members] = [newKey(), { ...BOOKING, serviceId }];
  const made = await create(owner, members, key);
  await world.stack.mysql.query('UPDATE services SET deleted_at = NOW(3) WHERE id = ?', [serviceId]);
  expect((await create(owner, members, key)).body).toEqual(made.body);
  // The cache and the filter still know the service. The statement decides.
  const refused = await create(owner, members);
  expect(refused.body).toMatchObject({ code: 'INVALID_INPUT', errors: [{ path: 'serviceId' }] });
});

test('a creation that is sent again does not show the record of the user to whom an operator moved it', async () => {
  const [from, to] = [await newPerson(), await newPerson()];
  const key = newKey();
  const { id } = (await create(from, BOOKING, key)).body;
  await putMembers(getResource('booking'), id, { userId: to.userId, note: 'of another user' });
  const again = await create(from, BOOKING, key);
  expect(codeOf(again)).toEqual([404, 'NOT_FOUND']);
  expect(again.text).not.toContain('of another user');
});
