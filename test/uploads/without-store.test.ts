import { beforeAll, expect, test } from 'vitest';
import { codeOf, type Person, startUploadWorld, type UploadWorld } from '../support/upload-world.ts';

let world: UploadWorld;
let owner: Person;
beforeAll(async () => {
  const names = ['ENDPOINT', 'BUCKET', 'REGION', 'KEY_ID', 'SECRET'];
  world = await startUploadWorld({ env: Object.fromEntries(names.map((name) => [`UPLOADS_${name}`, ''])) });
  owner = await world.newPerson();
});

test('a deployment without a store says so, and everything else works', async () => {
  const answer = await world.ask(owner, { contentType: 'image/png', bytes: 5 });
  expect(codeOf(answer)).toEqual([404, 'NOT_FOUND']);
  expect(answer.body.detail).toBe('This deployment takes no uploads.');
  expect(codeOf(await world.create(owner, { picture: 'A'.repeat(22) }))).toEqual([400, 'INVALID_INPUT']);
  // A record from the time when there was a store.
  const row = ['77', owner.userId, `kept/a/b/${'A'.repeat(22)}`, 'c', new Date()];
  await world.stack.mysql.query('INSERT INTO photos (id, user_id, picture, caption, created_at) VALUES (?)', [row]);
  expect((await world.read(owner, '77')).body).toMatchObject({ picture: null, caption: 'c' });
  expect((await world.change(owner, '77', { caption: 'd' }, 1)).status).toBe(200);
  expect((await world.remove(owner, '77')).status).toBe(204);
  await expect(world.stack.api.runSchedule('upload-sweep')).resolves.toMatchObject({ looked: 0 });
});
