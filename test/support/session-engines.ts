import { randomBytes } from 'node:crypto';
import { idleSeconds } from '../../shared/session/session.ts';
import { newUserId } from '../../shared/session/token.ts';
import { SESSION_GRACE_SECONDS as GRACE_SECONDS, sessionKey } from '../../shared/swept-keys.ts';
import { openBearerSession } from './bearer-session.ts';
import type { TestApp, TestStack } from './stack.ts';

/** Creates users and sessions without a login, and lets time pass without waiting. */
export function sessionsOf(stack: TestStack, app: TestApp) {
  async function newUsers(count: number): Promise<string[]> {
    const ids = Array.from({ length: count }, newUserId);
    const rows = ids.map((id) => [id, `u-${randomBytes(8).toString('hex')}`, '{}']);
    await stack.mysql.query('INSERT INTO users (user_id, account, profile) VALUES ?', [rows]);
    return ids;
  }

  async function openAt(userId: string, appId = app.appId) {
    const { token, sessionId } = await openBearerSession(appId, userId);
    return { userId, token, sessionId, key: sessionKey(appId, userId, sessionId) };
  }
  const [graceMs, idleMs] = [GRACE_SECONDS * 1000, idleSeconds() * 1000];

  return {
    newUsers,
    openAt,
    open: async () => openAt((await newUsers(1))[0] as string),
    /** Milliseconds until the session was idle for too long, by the copy in Redis. */
    idleLeftMs: async (key: string): Promise<number> => (await stack.redis.pttl(key)) - graceMs,
    /** Changes the session as if it had been idle until only this part of its idle time is left. */
    async rest({ key, sessionId }: { key: string; sessionId: string }, part: number): Promise<void> {
      await stack.redis.pexpire(key, Math.round(graceMs + idleMs * part));
      await stack.mysql.query('UPDATE sessions SET idle_until = NOW(3) + INTERVAL ? SECOND WHERE session_id = ?', [
        Math.round((idleMs / 1000) * part),
        sessionId,
      ]);
    },
    flush: () => stack.flush(),
  };
}
