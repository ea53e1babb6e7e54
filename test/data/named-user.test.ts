import { randomUUID } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
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

describe('a server app', () => {
  const onBehalf = { ...BOOKING, status: 'confirmed' };

  test('writes for a user that it names, and may give what only the shop gives', async () => {
    const person = await newPerson();
    const sent = { app: world.server, key: newKey() };
    const created = await send('POST', 'booking', { ...onBehalf, userId: person.userId }, sent);
    expect([created.status, created.body.status, created.body.userId]).toEqual([201, 'confirmed', person.userId]);
    expect(await mine(person)).toEqual([created.body]);
    const path = `booking/${created.body.id}`;
    const changes = { day: '2030-01-02', note: '', status: 'done' };
    const other = await newPerson();
    const of = ({ userId }: Person) => ({ app: world.server, query: `user=${userId}` });
    expect((await send('PUT', path, changes, { ...of(other), version: 1 })).status).toBe(404);
    expect((await send('PUT', path, changes, { ...of(person), version: 1 })).status).toBe(200);
    expect(await mine(person, 'list=mine-by-status&status=done')).toHaveLength(1);
    expect((await send('DELETE', path, undefined, of(other))).status).toBe(404);
    expect((await send('DELETE', path, undefined, of(person))).status).toBe(204);
  });

  test('changes a record that all may read without naming its owner', async () => {
    const review = { serviceId: '2', stars: 1, words: 'rude words' };
    const { id } = (await create(owner, review, newKey(), 'review')).body;
    const of = async () =>
      (await send('GET', 'review', undefined, { query: 'list=of-service&serviceId=2' })).body.items;
    expect((await of())[0]).toMatchObject({ id, words: 'rude words' });
    const changed = await send('PUT', `review/${id}`, { stars: 1, words: '' }, { app: world.server, version: 1 });
    expect(changed.status).toBe(200);
    expect((await of())[0]).toMatchObject({ id, words: '', version: 2 });
    expect((await send('DELETE', `review/${id}`, undefined, { app: world.server })).status).toBe(204);
    expect(await of()).toEqual([]);
    expect(await mine(owner, 'list=mine', 'review')).toEqual([]);
  });

  test('needs the permission, and a user that exists', async () => {
    const person = await newPerson();
    const named = { ...BOOKING, userId: person.userId };
    expect(codeOf(await send('POST', 'booking', named, { as: person, key: newKey() }))).toEqual([403, 'SCOPE_DENIED']);
    const sent = { app: world.server, key: newKey() };
    expect(codeOf(await send('POST', 'booking', BOOKING, sent))).toEqual([403, 'SCOPE_DENIED']);
    expect(codeOf(await send('POST', 'booking', { ...BOOKING, userId: 'nobody' }, sent))).toEqual([404, 'NOT_FOUND']);
    const reader = await world.stack.createApp({ scopes: ['data:read'] });
    expect(codeOf(await send('POST', 'booking', BOOKING, { app: reader, key: newKey() }))).toEqual([
      403,
      'SCOPE_DENIED',
    ]);
  });

  test('reads what it writes, by id, by ids and in the lists of the user', async () => {
    const [person, other] = [await newPerson(), await newPerson()];
    const { body: made } = await create(person);
    const as = ({ userId }: Person, query = '') => ({ app: world.server, query: `user=${userId}${query}` });
    const one = (of: Person) => send('GET', `booking/${made.id}`, undefined, as(of));
    for (let i = 0; i < 2; i++) {
      expect((await one(person)).body).toEqual(made);
      expect(codeOf(await one(other))).toEqual([404, 'NOT_FOUND']);
      const many = (of: Person) => send('GET', 'booking', undefined, as(of, `&ids=${made.id}`));
      expect((await many(person)).body.items).toEqual({ [made.id]: made });
      expect((await many(other)).body.items).toEqual({ [made.id]: null });
      const list = (of: Person) => send('GET', 'booking', undefined, as(of, '&list=mine'));
      expect((await list(person)).body.items).toEqual([made]);
      expect((await list(other)).body.items).toEqual([]);
    }
    // The page that the server app has read is the one that the user's write ends.
    await send('DELETE', `booking/${made.id}`, undefined, { as: person });
    expect((await send('GET', 'booking', undefined, as(person, '&list=mine'))).body.items).toEqual([]);
  });

  test('reads nobody’s records without the permission, without a name, or with a v1 signature', async () => {
    const person = await newPerson();
    const { id } = (await create(person)).body;
    for (const path of [`booking/${id}?`, `booking?ids=${id}&`, 'booking?list=mine&']) {
      const [where = '', query = ''] = path.split('?');
      const named = `${query}user=${person.userId}`;
      const reader = await world.stack.createApp({ scopes: ['data:read'] });
      expect(codeOf(await send('GET', where, undefined, { app: reader, query: named }))).toEqual([403, 'SCOPE_DENIED']);
      const denied = await send('GET', where, undefined, { as: person, query: named });
      expect(codeOf(denied)).toEqual([403, 'SCOPE_DENIED']);
      const weak = { app: world.server, query: named, signature: 'v1' as const };
      expect(codeOf(await send('GET', where, undefined, weak))).toEqual([403, 'SIGNATURE_TOO_WEAK']);
      const unnamed = { app: world.server, ...(query !== '' && { query: query.slice(0, -1) }) };
      expect(codeOf(await send('GET', where, undefined, unnamed))).toEqual([401, 'LOGIN_REQUIRED']);
      const spoilt = { app: world.server, query: `${query}user=..%2F` };
      expect(codeOf(await send('GET', where, undefined, spoilt))).toEqual([400, 'INVALID_INPUT']);
    }
    const open = { app: world.server, query: `user=${person.userId}` };
    expect(codeOf(await send('GET', 'review/1', undefined, open))).toEqual([400, 'INVALID_INPUT']);
    const all = { app: world.server, query: `list=of-service&serviceId=1&user=${person.userId}` };
    expect(codeOf(await send('GET', 'review', undefined, all))).toEqual([400, 'INVALID_INPUT']);
  });
});
