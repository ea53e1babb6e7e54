import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, expect, test, vi } from 'vitest';
import type { SignedSession } from '../support/public-app.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

/** Runs the steps of docs/operations.md, "Changing the signing key". A deploy is a new environment and new processes. */
const page =
  readFileSync('docs/operations.md', 'utf8').split('## Changing the signing key')[1]?.split('\n## ')[0] ?? '';
const steps = [...page.matchAll(/^SIGNING_KEY=(\S*) SIGNING_KEY_OLD=(\S*)/gm)].map(([, key = '', old = '']) => ({
  key,
  old,
}));

let stack: TestStack;
let world: PublicWorld;
const keys = { $OLD: '', $NEW: randomBytes(32).toString('hex') };
const counted: string[] = [];
beforeAll(async () => {
  stack = await startTestStack({ env: { LOG: 'on' } });
  vi.spyOn(console, 'log').mockImplementation((line) => void counted.push(String(line)));
  world = await publicWorld(stack);
  keys.$OLD = stack.env.SIGNING_KEY ?? '';
});

async function deploy(key: string, old: string): Promise<void> {
  process.env.SIGNING_KEY = keys[key as keyof typeof keys] ?? key;
  process.env.SIGNING_KEY_OLD = keys[old as keyof typeof keys] ?? old;
  await stack.api.reload();
}
const oldKeyWasUsed = (): boolean =>
  counted.splice(0).some((line) => line.includes('"access-token.old-signing-key":1'));

test('a planned change of the signing key logs nobody out, and the count shows when the old one may go', async () => {
  expect(steps).toEqual([
    { key: '$OLD', old: '$NEW' },
    { key: '$NEW', old: '$OLD' },
    { key: '$NEW', old: '' },
  ]);
  const before = await world.logIn();
  let since: SignedSession | undefined;
  for (const [index, { key, old }] of steps.entries()) {
    // During a deploy functions change one by one: the login may be of the next step, the authorizer of this one.
    const made = index === 1 ? await withSigningKey(keys.$NEW, () => world.logIn()) : undefined;
    if (made) expect(await world.stateOf(made), 'a key of the next step').toBe('alive');
    await deploy(key, old);
    const states = await Promise.all(
      [before, since, await world.logIn()].flatMap((one) => (one ? [one] : [])).map(world.stateOf),
    );
    if (index < 2) expect(states.every((state) => state === 'alive')).toBe(true);
    counted.splice(0);
    if (index === 1) {
      since = await world.logIn();
      counted.splice(0);
      expect([await world.stateOf(since), oldKeyWasUsed()]).toEqual(['alive', false]);
      expect([await world.stateOf(before), oldKeyWasUsed()]).toEqual(['alive', true]);
    }
  }
  expect(await world.stateOf(since as SignedSession)).toBe('alive');
  expect((await world.call(before, 'GET', '/me')).text).toBe('{"message":"Forbidden"}');
});

test('a new key without the old one ends every signed session, and logins work at once', async () => {
  await deploy(keys.$OLD, '');
  const person = world.newPerson();
  const before = await world.logIn(person);
  await deploy(randomBytes(32).toString('hex'), '');
  expect((await world.call(before, 'GET', '/me')).text).toBe('{"message":"Forbidden"}');
  const after = await world.logIn(person);
  expect(after.session.split('.')[0]).toBe(before.session.split('.')[0]);
  expect(await world.stateOf(after)).toBe('alive');
});

async function withSigningKey<T>(key: string, work: () => Promise<T>): Promise<T> {
  // The authorizer keeps both keys; only what is made now is made with this one.
  const { SIGNING_KEY, SIGNING_KEY_OLD } = process.env;
  process.env.SIGNING_KEY = key;
  process.env.SIGNING_KEY_OLD = SIGNING_KEY;
  const result = await work();
  process.env.SIGNING_KEY = SIGNING_KEY;
  process.env.SIGNING_KEY_OLD = SIGNING_KEY_OLD;
  return result;
}
