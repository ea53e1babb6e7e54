import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, expect, test } from 'vitest';
import { clearTarget } from '../../shared/lock/admin.ts';
import { openedSession, type SignedSession } from '../support/public-app.ts';
import { type PublicWorld, publicWorld } from '../support/public-world.ts';
import { startTestStack, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let world: PublicWorld;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  world = await publicWorld(stack);
});

async function inParallel(width: number, count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: width }, worker));
}

test('none of 1 000 logouts that race with a login under the same session leaves a valid session', {
  timeout: 900_000,
}, async () => {
  const people = await Promise.all(
    Array.from({ length: 40 }, async () => {
      const person = world.newPerson();
      return { person, userId: (await world.logIn(person)).session.split('.')[0] ?? '' };
    }),
  );
  const outcomes = { replacedFirst: 0, logoutFirst: 0 };
  await inParallel(8, 1_000, async (index) => {
    // All come from one address, which may not call that often.
    if (index % 40 === 0) for (const target of ['POST /login/wechat', '*']) await clearTarget(target, 'test');
    const { person, userId } = people[index % people.length] as (typeof people)[number];
    const former = await openedSession(stack, world.appId, userId);
    // Every other session is not in Redis yet.
    if (index % 2 === 0) expect(await world.stateOf(former)).toBe('alive');
    const [login, logout] = await Promise.all([
      world.login(person, former),
      // A login asks WeChat and MySQL first. So the logout begins later, by a different time each.
      sleep((index % 16) * 3).then(() => world.call(former, 'POST', '/logout', { body: {} })),
    ]);
    expect(await world.stateOf(former)).toBe('SESSION_REVOKED');
    // Both cannot have succeeded: the session that signed them ends once, in one of two ways.
    if (logout.status === 204) {
      expect([login.status, login.body.code]).toEqual([401, 'SESSION_REVOKED']);
      outcomes.logoutFirst++;
    } else {
      expect([logout.body.code, login.status]).toEqual(['SESSION_REVOKED', 200]);
      const next = login.body as SignedSession;
      expect((await world.call(next, 'POST', '/logout', { body: {} })).status).toBe(204);
      outcomes.replacedFirst++;
    }
  });
  // Each was first sometimes. This shows that the two did race.
  expect(Math.min(...Object.values(outcomes))).toBeGreaterThan(0);
  // Of each person only the first login is left.
  const [rows] = await stack.mysql.query(
    `SELECT user_id FROM sessions WHERE app_id = ? AND ended_at IS NULL GROUP BY user_id HAVING COUNT(*) > 1`,
    [world.appId],
  );
  expect(rows).toEqual([]);
});
