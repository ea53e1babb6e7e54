import { beforeAll, expect, test } from 'vitest';
import { createOwn } from '../../shared/data/own-record-creation.ts';
import { findRecord } from '../../shared/data/records.ts';
import { getResource } from '../../shared/data/resources.ts';
import { withAddresses } from '../../shared/data/upload-addresses.ts';
import { deleteResource, putResource } from '../../shared/data/write.ts';
import { type Person, startUploadWorld, type UploadWorld } from '../support/upload-world.ts';

const photo = getResource('photo');
const refused = { code: 'INVALID_INPUT', refusal: { errors: [{ path: 'picture' }] } };
let world: UploadWorld;
let owner: Person;
beforeAll(async () => {
  world = await startUploadWorld();
  owner = await world.newPerson();
});

const members = (picture: string) => ({
  userId: owner.userId,
  picture,
  caption: 'c',
  createdAt: '2030-01-01T00:00:00Z',
});
const days = async (count: number) => {
  for (let day = 0; day < count; day++) {
    await world.pass(24 * 60);
    await world.sweep();
  }
};

test('an operator moves an object to another record, and it stays', async () => {
  const upload = await world.uploaded(owner);
  const { id } = (await world.create(owner, { picture: upload })).body;
  const key = String((await findRecord(photo, id))?.picture);
  expect(key).toBe(world.keyOf(owner, upload, 'kept'));
  await putResource(photo, '900', members(key));
  await deleteResource(photo, id);
  await days(3);
  expect(world.stored(owner, upload, 'kept')).toBeDefined();
  await deleteResource(photo, '900');
  await days(2);
  expect(world.stored(owner, upload, 'kept')).toBeUndefined();
});

test('an object that an operator names while upload-sweep is about to end it stays', async () => {
  const upload = await world.uploaded(owner);
  const { id } = (await world.create(owner, { picture: upload })).body;
  await world.remove(owner, id);
  await world.pass(60);
  let named = false;
  world.stack.faults.mysql = ({ sql }) => {
    if (named || !sql?.startsWith("UPDATE uploads SET used_by = '-'")) return undefined;
    named = true;
    const before = async (): Promise<undefined> =>
      void (await putResource(photo, '902', members(world.keyOf(owner, upload, 'kept'))));
    return { kind: 'hold', before, after: async () => {} };
  };
  await world.sweep();
  world.stack.faults.mysql = undefined;
  await days(2);
  expect([named, world.stored(owner, upload, 'kept') !== undefined]).toEqual([true, true]);
});

test('an operator cannot name what is not kept: an unused, ended or invented object', async () => {
  const unused = await world.uploaded(owner);
  await expect(putResource(photo, '901', members(world.keyOf(owner, unused, 'kept')))).rejects.toMatchObject(refused);
  const ended = await world.uploaded(owner);
  const { id } = (await world.create(owner, { picture: ended })).body;
  await world.remove(owner, id);
  await world.pass(11);
  await world.sweep();
  const keys = [world.keyOf(owner, ended, 'kept'), `kept/a/b/${'A'.repeat(22)}`, `new/a/b/${'A'.repeat(22)}`];
  for (const key of keys) await expect(putResource(photo, '901', members(key))).rejects.toMatchObject(refused);
});

test('a member may be null where its resource allows it', async () => {
  await world.stack.mysql.query('ALTER TABLE photos MODIFY picture VARCHAR(160) CHARACTER SET ascii NULL');
  const writers = { quota: 5, members: {} };
  const maker = { appId: world.app.appId, userId: owner.userId, uploadsOf: world.app.appId };
  const given = { picture: null, caption: 'none' };
  const made = await createOwn({ ...photo, writers }, maker, 'k'.repeat(16), given, Date.now());
  expect(withAddresses(photo, made)).toMatchObject({ picture: null, caption: 'none' });
  expect((await world.read(owner, made.id)).body.picture).toBeNull();
});
