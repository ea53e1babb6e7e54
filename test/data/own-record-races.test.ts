import { beforeAll, describe, expect, test } from 'vitest';
import { type DataWorld, startDataWorld } from '../support/data-world.ts';
import { codeOf, type Person } from '../support/own-record-world.ts';
import type { TestAnswer } from '../support/stack.ts';
import { tableSums } from '../support/table-sums.ts';

/** Two writers of one record, and callers who try the records of others. */
let world: DataWorld;
beforeAll(async () => {
  world = await startDataWorld();
});

const CHANGES = { day: '2030-05-03', note: 'n', status: 'requested' };
const ROUNDS = 20;

async function booking(): Promise<{ owner: Person; path: string }> {
  const owner = await world.newPerson();
  return { owner, path: `booking/${(await world.create(owner)).body.id}` };
}

describe('two writers at once', () => {
  test('with the same version: one change takes effect, and the other one is refused', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { owner, path } = await booking();
      const change = (note: string) => world.send('PUT', path, { ...CHANGES, note }, { as: owner, version: 1 });
      const answers = await Promise.all([change('a'), change('b')]);
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 412]);
      const [done] = answers.filter(({ status }) => status === 200);
      expect((await world.send('GET', path, undefined, { as: owner })).body).toEqual(done?.body);
    }
  });

  test('a change and a deletion of the same version: one takes effect', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { owner, path } = await booking();
      const [changed, removed] = await Promise.all([
        world.send('PUT', path, CHANGES, { as: owner, version: 1 }),
        world.send('DELETE', path, undefined, { as: owner, version: 1 }),
      ]);
      const ends = [changed.status, removed.status].join();
      expect(['200,412', '404,204']).toContain(ends);
      const read = await world.send('GET', path, undefined, { as: owner });
      expect(read.status).toBe(changed.status);
      expect(await world.mine(owner)).toEqual(changed.status === 200 ? [changed.body] : []);
    }
  });

  test('a change and a deletion of any version: the record is gone', async () => {
    for (let round = 0; round < ROUNDS; round++) {
      const { owner, path } = await booking();
      const [changed, removed] = await Promise.all([
        world.send('PUT', path, CHANGES, { as: owner, version: 1 }),
        world.send('DELETE', path, undefined, { as: owner }),
      ]);
      expect([200, 404]).toContain(changed.status);
      expect(removed.status).toBe(204);
      expect((await world.send('GET', path, undefined, { as: owner })).status).toBe(404);
      expect(await world.mine(owner)).toEqual([]);
    }
  });
});

describe('another user’s record, a deleted, an absent and an invented one', () => {
  /** What a caller sees, without what differs in every answer. */
  const seen = ({ status, headers, text, body }: TestAnswer) => {
    const shown = [...headers].filter(([name]) => !['date', 'x-request-id', 'apigw-requestid'].includes(name));
    return JSON.stringify([status, shown, text.replaceAll(String(body?.requestId), 'id')]);
  };
  const calls: Array<[string, string, unknown, object]> = [
    ['a read', 'GET', undefined, {}],
    ['a change', 'PUT', CHANGES, { version: 1 }],
    ['a change of a wrong version', 'PUT', CHANGES, { version: 7 }],
    ['a deletion', 'DELETE', undefined, {}],
    ['a deletion of a version', 'DELETE', undefined, { version: 1 }],
    ['a deletion of a wrong version', 'DELETE', undefined, { version: 7 }],
  ];

  test.each([
    ['in the cache', true],
    ['not in the cache', false],
  ])('are answered alike, byte for byte, when the record is %s', async (_, cached) => {
    const { owner, path } = await booking();
    const { path: gone } = await booking();
    await world.stack.mysql.query('UPDATE bookings SET deleted_at = NOW(3) WHERE id = ?', [gone.split('/')[1]]);
    const stranger = await world.newPerson();
    const paths = [path, gone, 'booking/1', 'booking/4242424242', `booking/${2 ** 53 - 1}`, 'booking/9999999999999999'];
    for (const [name, method, body, sent] of calls) {
      if (!cached) await world.stack.flush();
      const before = await tableSums(world.stack.mysql);
      const answers: string[] = [];
      for (const which of paths) {
        if (cached) await world.send('GET', path, undefined, { as: owner });
        const answer = await world.send(method, which, body, { as: stranger, ...sent });
        expect([name, ...codeOf(answer)]).toEqual([name, 404, 'NOT_FOUND']);
        answers.push(seen(answer));
      }
      expect([name, ...new Set(answers)]).toEqual([name, answers[0]]);
      expect(await tableSums(world.stack.mysql)).toEqual(before);
    }
    const many = `ids=${path.split('/')[1]},4242424242`;
    const { body } = await world.send('GET', 'booking', undefined, { as: stranger, query: many });
    expect(Object.values(body.items)).toEqual([null, null]);
  });

  test('are answered alike to a server app that names another user', async () => {
    const { path } = await booking();
    const { userId } = await world.newPerson();
    const sent = { app: world.server, query: `user=${userId}` };
    for (const [name, method, body, more] of calls) {
      const answers: string[] = [];
      for (const which of [path, 'booking/4242424242']) {
        const answer = await world.send(method, which, body, { ...sent, ...more });
        expect([name, ...codeOf(answer)]).toEqual([name, 404, 'NOT_FOUND']);
        answers.push(seen(answer));
      }
      expect([name, ...new Set(answers)]).toEqual([name, answers[0]]);
    }
  });

  test('an id that is none is refused as such, for every caller', async () => {
    const stranger = await world.newPerson();
    for (const id of ['0', '01', '-1', 'x', '12345678901234567']) {
      for (const [, method, body, sent] of calls) {
        const path = `booking/${id}`;
        expect(codeOf(await world.send(method, path, body, { as: stranger, ...sent }))).toEqual([400, 'INVALID_KEY']);
      }
    }
  });
});
