import { beforeAll, expect, test } from 'vitest';
import { clearTarget } from '../../shared/lock/admin.ts';
import { openedSession, type SignedSession } from '../support/public-app.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { race } from '../support/race.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

/** A longer search: `INTERLEAVINGS=10 npx vitest run ...`. */
const SEEDS = 30 * Number(process.env.INTERLEAVINGS ?? 1);

let stack: TestStack;
let world: PublicWorld;
let person: string;
let userId: string;
beforeAll(async () => {
  stack = await startTestStack();
  world = await publicWorld(stack);
  person = world.newPerson();
  userId = (await world.logIn(person)).session.split('.')[0] ?? '';
});

test.each([
  ['that Redis knows', true],
  ['that only MySQL knows', false],
])('no interleaving of a logout and a login under a session %s leaves it valid', async (_, known) => {
  const outcomes = { replaced: 0, loggedOut: 0 };
  for (let seed = 0; seed < SEEDS; seed++) {
    // All come from one address and one user, who may not call that often.
    for (const target of ['POST /login/wechat', '*']) await clearTarget(target, 'test');
    const former = await openedSession(stack, world.appId, userId);
    if (known) expect(await world.stateOf(former)).toBe('alive');
    const [login, logout] = await race(stack, seed, [
      () => world.login(person, former),
      () => world.call(former, 'POST', '/logout', { body: {} }),
    ]);
    expect(await world.stateOf(former)).toBe('SESSION_REVOKED');
    // Both cannot have succeeded: the session that signed them ends once, in one of two ways.
    if (logout?.status === 204) {
      expect([login?.status, login?.body.code]).toEqual([401, 'SESSION_REVOKED']);
      outcomes.loggedOut++;
    } else {
      expect([logout?.body.code, login?.status]).toEqual(['SESSION_REVOKED', 200]);
      expect((await world.call(login?.body as SignedSession, 'POST', '/logout', { body: {} })).status).toBe(204);
      outcomes.replaced++;
    }
  }
  // Each was first sometimes. This shows that the two did race.
  expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(0);
  // Only the first login of the person is left.
  const [rows] = await stack.mysql.query('SELECT 1 FROM sessions WHERE user_id = ? AND ended_at IS NULL', [userId]);
  expect(rows).toHaveLength(1);
});
