import { beforeAll, expect, test } from 'vitest';
import { mergeUsers } from '../../shared/account/merge.ts';
import { eraseRecordsOf } from '../../shared/data/records-of-user.ts';
import { withTransaction } from '../../shared/db.ts';
import { codeOf, type Person, picture, startUploadWorld, type UploadWorld } from '../support/upload-world.ts';

/** Keys of objects contain the user who uploaded them. They stay where they are when that user is merged. */
let world: UploadWorld;
beforeAll(async () => {
  world = await startUploadWorld();
});

async function merged(): Promise<{ from: Person; into: Person; upload: string; id: string }> {
  const [from, into] = [await world.newPerson(), await world.newPerson()];
  const upload = await world.uploaded(from);
  const { id } = (await world.create(from, { picture: upload, caption: 'cat' })).body;
  await mergeUsers({ from: from.userId, into: into.userId }, { wallets: false }, 'tester');
  return { from, into, upload, id };
}
const DAYS = 3 * 24 * 60;

test('a moved record keeps its picture, through every sweep, until it is deleted', async () => {
  const { from, into, upload, id } = await merged();
  const { body } = await world.read(into, id);
  expect((await fetch(body.picture)).status).toBe(200);
  await world.pass(DAYS);
  await world.sweep();
  await world.pass(DAYS);
  await world.sweep();
  expect(world.stored(from, upload, 'kept')).toBeDefined();
  expect((await world.remove(into, id)).status).toBe(204);
  await world.pass(20);
  await world.sweep();
  expect(world.stored(from, upload, 'kept')).toBeUndefined();
});

test('a moved record is changed with the picture that it has, or with a new one', async () => {
  const { from, into, upload, id } = await merged();
  const renamed = await world.change(into, id, { picture: upload, caption: 'dog' }, 2);
  expect(renamed).toMatchObject({ status: 200, body: { caption: 'dog' } });
  expect((await fetch(renamed.body.picture)).status).toBe(200);
  // Another record may not use it, and neither may another user.
  expect(codeOf(await world.create(into, { picture: upload, caption: 'x' }))).toEqual([400, 'INVALID_INPUT']);
  const next = await world.uploaded(into, picture());
  expect((await world.change(into, id, { picture: next, caption: 'dog' }, 3)).status).toBe(200);
  await world.pass(20);
  await world.sweep();
  expect([world.stored(from, upload, 'kept'), world.stored(into, next, 'kept') === undefined]).toEqual([
    undefined,
    false,
  ]);
});

test('the erasure of the user that stayed ends the pictures that it got', async () => {
  const { from, into, upload } = await merged();
  await withTransaction((transaction) => eraseRecordsOf(into.userId, transaction, { keys: [], generations: [] }));
  await world.pass(20);
  await world.sweep();
  expect(world.stored(from, upload, 'kept')).toBeUndefined();
});
