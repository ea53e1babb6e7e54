import { expect, test } from 'vitest';
import { mintSession, newUserId } from '../../shared/session/token.ts';
import { sessionKey } from '../../shared/swept-keys.ts';
import { startTestStack } from '../support/stack.ts';

test('a session whose logout the promoted replica lost is refused after the next run of cache-warm', async () => {
  const stack = await startTestStack();
  const app = await stack.createApp();
  const userId = newUserId();
  await stack.mysql.execute(`INSERT INTO users (user_id, profile) VALUES (?, '{}')`, [userId]);
  const insert = async () => {
    const { token, sessionId } = mintSession(app.appId, userId);
    await stack.mysql.execute(
      `INSERT INTO sessions (app_id, user_id, session_id, user_version, idle_until, ends_at)
       VALUES (?, ?, ?, 1, NOW(3) + INTERVAL 1 DAY, NOW(3) + INTERVAL 1 DAY)`,
      [app.appId, userId, sessionId],
    );
    return { token, key: sessionKey(app.appId, userId, sessionId) };
  };
  const [ended, other] = [await insert(), await insert()];
  const me = (session: string) => stack.call(app, 'GET', '/me', { session });
  for (const { token } of [ended, other]) expect((await me(token)).status).toBe(200);

  const copy = (await stack.redis.get(ended.key)) ?? '';
  expect((await stack.call(app, 'POST', '/logout', { session: ended.token, body: {} })).status).toBe(204);
  expect((await me(ended.token)).body.code).toBe('SESSION_REVOKED');
  // The new master has only the state from before the logout.
  await stack.redis.set(ended.key, copy, 'PX', 600_000);
  await stack.api.runSchedule('cache-warm');
  expect((await me(ended.token)).body.code).toBe('SESSION_REVOKED');
  expect(await stack.redis.get(other.key)).toMatch(/^J/);
  expect((await me(other.token)).status).toBe(200);
});
