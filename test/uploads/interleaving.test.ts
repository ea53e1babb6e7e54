import { randomUUID } from 'node:crypto';
import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { codeOf, type Person, picture, startUploadWorld, type UploadWorld } from '../support/upload-world.ts';

/**
 * A call that uses an upload, and upload-sweep, in every order of their statements. Whatever the order: a record that was
 * made can be read with the object that was uploaded, and an upload that was refused has no record.
 */
let world: UploadWorld;
let owner: Person;
beforeAll(async () => {
  world = await startUploadWorld();
});
beforeEach(async () => {
  await world.stack.mysql.query('DELETE FROM uploads');
  owner = await world.newPerson();
});

const DAY = 24 * 60;

/** Runs `work`; before the statement with this number, `other` runs to its end. true: there was such a statement. */
async function runBetween(at: number, work: () => Promise<unknown>, other: () => Promise<unknown>): Promise<boolean> {
  let seen = 0;
  let reached = false;
  world.stack.faults.mysql = ({ sql }) => {
    if (reached || !sql || seen++ < at) return undefined;
    reached = true;
    const before = async (): Promise<undefined> => void (await other());
    return { kind: 'hold', before, after: async () => {} };
  };
  await work();
  world.stack.faults.mysql = undefined;
  return reached;
}

/** The same, when this statement has run and before its answer is sent. */
async function runAfter(statement: string, work: () => Promise<unknown>, other: () => Promise<unknown>): Promise<void> {
  let reached = false;
  world.stack.faults.mysql = ({ sql }) => {
    if (reached || !sql?.includes(statement)) return undefined;
    reached = true;
    return { kind: 'hold', before: async () => undefined, after: async () => void (await other()) };
  };
  await work();
  world.stack.faults.mysql = undefined;
  expect(reached).toBe(true);
}

async function expectWhole(created: Awaited<ReturnType<UploadWorld['create']>>, upload: string, body: Buffer) {
  const [rows] = await world.stack.mysql.query('SELECT id FROM photos WHERE user_id = ? AND picture LIKE ?', [
    owner.userId,
    `%${upload}`,
  ]);
  if (created.status !== 201) {
    expect([codeOf(created)[1], rows]).toEqual([expect.stringMatching(/^(INVALID_INPUT|UNAVAILABLE)$/), []]);
    return;
  }
  expect(rows).toHaveLength(1);
  for (let day = 0; day < 2; day++) {
    expect(world.stored(owner, upload, 'kept')).toEqual(body);
    await world.pass(DAY);
    await world.sweep();
  }
}

describe('upload-sweep', () => {
  test('may run whole between any two statements of a call, for a claim of any age', async () => {
    for (const minutes of [0, 11, DAY + 1]) {
      const results = [];
      for (let at = 0, reached = true; reached; at++) {
        const body = picture();
        const upload = await world.uploaded(owner, body);
        let created: Awaited<ReturnType<UploadWorld['create']>> | undefined;
        const key = randomUUID();
        reached = await runBetween(
          at,
          async () => {
            created = await world.create(owner, { picture: upload }, key);
          },
          async () => {
            await world.pass(minutes);
            await world.sweep();
          },
        );
        if (created) await expectWhole(created, upload, body);
        results.push(created?.status);
        if (created?.status === 503 && minutes <= DAY)
          expect((await world.create(owner, { picture: upload }, key)).status).toBe(201);
      }
      // The user, the upload, the claim and the record have a statement each.
      expect(results.length).toBeGreaterThanOrEqual(4);
      expect(results.at(-1)).toBe(201);
      // The claim is ended, or freed, only if the call has hung for longer than any call can.
      expect(results.includes(503)).toBe(minutes > 0);
      expect(results.includes(400)).toBe(minutes > DAY);
    }
  });

  test.each(['new', 'claimed before', 'of a deleted record'] as const)(
    'may be at any of its statements when a call uses an upload: %s',
    async (state) => {
      const results = new Set<number>();
      for (let at = 0, reached = true; reached; at++) {
        const body = picture();
        const upload = await world.uploaded(owner, body);
        const key = randomUUID();
        const create = () => world.create(owner, { picture: upload }, state === 'new' ? randomUUID() : key);
        let made = false;
        if (state === 'claimed before') {
          world.stack.objectStore.misbehave(({ method }) =>
            method === 'PUT' ? { kind: 'answer', status: 403, body: '' } : null,
          );
          expect((await create()).status).toBe(503);
          world.stack.objectStore.misbehave(null);
        } else if (state === 'of a deleted record') {
          const { id } = (await create()).body;
          await world.remove(owner, id);
          made = true;
        }
        await world.pass(DAY + 1);
        let created: Awaited<ReturnType<UploadWorld['create']>> | undefined;
        reached = await runBetween(at, world.sweep, async () => {
          created = await create();
        });
        if (!created) break;
        results.add(created.status);
        if (!made) {
          await expectWhole(created, upload, body);
          continue;
        }
        await world.pass(11);
        await world.sweep();
        expect(world.stored(owner, upload, 'kept')).toBeUndefined();
      }
      expect([...results].sort()).toEqual(state === 'of a deleted record' ? [201] : [201, 400]);
    },
  );
});

describe('two calls with the same key, and an object that is put again between them', () => {
  const both = async (statement: string, when: typeof runAfter) => {
    const [first, second] = [picture(), picture()];
    const issued = await world.issue(owner);
    await world.put(issued, first);
    const key = randomUUID();
    const create = () => world.create(owner, { picture: issued.uploadId }, key);
    await when(statement, create, async () => {
      expect((await create()).status).toBe(201);
      await world.put(issued, second);
    });
    const [rows] = await world.stack.mysql.query('SELECT id FROM photos WHERE user_id = ?', [owner.userId]);
    expect(rows).toHaveLength(1);
    expect(world.stored(owner, issued.uploadId, 'kept')).toEqual(first);
    expect((await world.row(issued.uploadId))?.used_by).toMatch(/^photo:/);
    expect((await create()).status).toBe(201);
  };

  test('before its check: the record keeps the first one', () =>
    both('SELECT app_id, user_id, content_type', runAfter));

  test('between its check and its claim: the record keeps the first one, and its upload is not freed', () =>
    both('UPDATE uploads SET used_by', async (statement, work, other) => {
      let reached = false;
      world.stack.faults.mysql = ({ sql }) => {
        if (reached || !sql?.includes(statement)) return undefined;
        reached = true;
        const before = async (): Promise<undefined> => void (await other());
        return { kind: 'hold', before, after: async () => {} };
      };
      await work();
      world.stack.faults.mysql = undefined;
      expect(reached).toBe(true);
    }));
});

test('a record that changes while upload-sweep looks at its upload is looked at again minutes later', async () => {
  const upload = await world.uploaded(owner);
  const { id } = (await world.create(owner, { picture: upload })).body;
  await world.pass(DAY);
  await world.sweep();
  await world.pass(DAY);
  await runAfter('SELECT picture AS named', world.sweep, () => world.remove(owner, id));
  expect(world.stored(owner, upload, 'kept')).toBeDefined();
  await world.pass(11);
  await world.sweep();
  expect(world.stored(owner, upload, 'kept')).toBeUndefined();
});

test('a claim that was renewed is not ended', async () => {
  const upload = await world.uploaded(owner);
  const key = randomUUID();
  world.stack.objectStore.misbehave(({ method }) =>
    method === 'PUT' ? { kind: 'answer', status: 403, body: '' } : null,
  );
  await world.create(owner, { picture: upload }, key);
  await world.pass(DAY + 1);
  // The sweep has read the row. Before it ends the upload, the call is sent again and claims it.
  await runAfter('SELECT app_id, user_id', world.sweep, () => world.create(owner, { picture: upload }, key));
  world.stack.objectStore.misbehave(null);
  expect((await world.row(upload))?.used_by).toMatch(/^photo:/);
  expect((await world.create(owner, { picture: upload }, key)).status).toBe(201);
});
