import { beforeAll, describe, expect, test } from 'vitest';
import { setRule } from '../../shared/lock/admin.ts';
import { race } from '../support/race.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** A longer search: `INTERLEAVINGS=10 npx vitest run ...`. */
const SEEDS = 60 * Number(process.env.INTERLEAVINGS ?? 1);

describe('sessions under parallel calls', { timeout: 900_000 }, () => {
  let stack: TestStack;
  let app: TestApp;
  let sessions: ReturnType<typeof sessionsOf>;
  beforeAll(async () => {
    stack = await startTestStack();
    app = await stack.createApp();
    // All calls come from one address. Its limit is not tested here.
    await setRule({ target: '*', by: ['app', 'ip'], limit: 1_000_000, windowSeconds: 60, lockSeconds: null }, 'test');
    sessions = sessionsOf(stack, app);
  });
  const me = (session: string) => stack.call(app, 'GET', '/me', { session });

  async function inParallel(width: number, count: number, work: (index: number) => Promise<void>): Promise<void> {
    let next = 0;
    const worker = async (): Promise<void> => {
      while (next < count) await work(next++);
    };
    await Promise.all(Array.from({ length: width }, worker));
  }

  test.each([
    ['that Redis knows', true],
    ['that only MySQL knows', false],
  ])('no interleaving of a logout and an extension of a session %s leaves it valid', async (_, known) => {
    const [userId = ''] = await sessions.newUsers(1);
    let passed = 0;
    for (let seed = 0; seed < SEEDS; seed++) {
      const session = await sessions.openAt(userId);
      if (known) {
        await me(session.token);
        await stack.redis.pexpire(session.key, 86_400_000 + 100_000_000);
      }
      const [read, ended] = await race(stack, seed, [
        () => me(session.token),
        () => stack.call(app, 'POST', '/logout', { session: session.token }),
      ]);
      expect(ended?.status).toBe(204);
      if (read?.status === 200) passed++;
      expect((await me(session.token)).body.code).toBe('SESSION_REVOKED');
    }
    // Reads that came before the logout passed. This shows that the two did race.
    expect(passed).toBeGreaterThan(0);
    expect(passed).toBeLessThan(SEEDS);
  });

  test('none of 1 000 interleaved calls of 50 users gets the data of another user', async () => {
    const users = await sessions.newUsers(50);
    const open = await Promise.all(users.map((userId) => sessions.openAt(userId)));
    const seen = new Set<string>();
    await inParallel(50, 1_000, async (index) => {
      const { token, userId } = open[(index + Math.floor(index / 50)) % open.length] as (typeof open)[number];
      // Some calls are refused. The next call of the process must not see their user either.
      if (index % 10 === 0) {
        const body = { profile: { roles: ['admin'] } };
        expect((await stack.call(app, 'PUT', '/me', { session: token, body })).status).toBe(400);
      } else if (index % 10 === 5) {
        const profile = { owner: userId, turn: index };
        const changed = await stack.call(app, 'PUT', '/me', { session: token, body: { profile } });
        expect(changed.body).toMatchObject({ userId, profile });
      } else {
        const { body } = await me(token);
        expect(body.userId).toBe(userId);
        if (body.profile.owner !== undefined) expect(body.profile.owner).toBe(userId);
        seen.add(body.userId);
      }
    });
    expect(seen.size).toBe(50);
  });
});
