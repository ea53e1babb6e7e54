import { beforeAll, expect, test } from 'vitest';
import { atTime, wholeSecond } from '../support/clock.ts';
import { publicHeaders, type SignedSession } from '../support/public-app.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

/** Redis has lost its data, and with it the replay records. */
let stack: TestStack;
let world: PublicWorld;
let session: SignedSession;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  world = await publicWorld(stack);
  session = await world.logIn();
});

test('a signed call that changed something before is refused after it; a read may be read again', async () => {
  const change = { method: 'PUT', path: '/me', body: { profile: { city: 'Dali' } } };
  const read = { method: 'GET', path: '/data/notice/1' };
  const timeStamp = Math.floor(Date.now() / 1000) - 5;
  const written = publicHeaders(world.appId, session, { ...change, timeStamp });
  const seen = publicHeaders(world.appId, session, { ...read, timeStamp });
  const send = (headers: Record<string, string>) =>
    headers === written
      ? stack.send('PUT', change.path, headers, JSON.stringify(change.body))
      : stack.send('GET', read.path, headers);
  expect([(await send(written)).status, (await send(seen)).status]).toEqual([200, 200]);
  await stack.redis.flushall();
  const repeated = await send(written);
  expect([repeated.status, repeated.body.code]).toEqual([401, 'REPLAYED']);
  expect((await send(seen)).status).toBe(200);
  expect((await send(seen)).body.code).toBe('REPLAYED');
});

test('a login by name passes at once: nothing is signed, so nothing could have been used before', async () => {
  await stack.redis.flushall();
  expect((await world.login(world.newPerson())).status).toBe(200);
});

test('a wrong clock keeps nobody out of a login by name, neither the device’s nor the function’s', async () => {
  for (const minutes of [-60, 60]) {
    const answer = await atTime(wholeSecond() + minutes * 60_000, () => world.login(world.newPerson()));
    expect([minutes, answer.status]).toEqual([minutes, 200]);
  }
});
