import { writeStrictUntil } from '../cache/write.ts';
import { type SqlValue, sqlTime, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { type Device, endSessions, isReplaced, type LiveSession, listSessions, sessionKeys } from './devices.ts';
import { networkOf } from './network.ts';
import { idleSeconds, MAX_DEVICES, maxSeconds } from './session.ts';
import type { SessionName } from './token.ts';

interface OpenedSession {
  expiresAt: string;
  /** Sessions of the same user that ended with this statement: replaced, or one device too many. */
  ended: string[];
  /** Ends the write to their copies in Redis, which nobody fills until then. */
  settle(): Promise<void>;
}

/** Sorts by last use, then by id, as findSession() does. */
const rankOf = ({ lastSeenAt, sessionId }: LiveSession): string => `${lastSeenAt} ${sessionId}`;

/**
 * Opens a session in one multi-row statement: it writes the new row, ends the session that the new one replaces, and
 * ends the least recently used sessions if the user has too many devices. The first call with the session makes its
 * copy in Redis. Throws SESSION_REVOKED if the replaced session ended in another way meanwhile; EngineError.
 */
export async function openSession(
  appId: string,
  { userId, version }: { userId: string; version: number },
  /** A new id. */
  sessionId: string,
  { device, ip }: Device,
  /** `replaces`: a session of the same user. It is not a device of its own. */
  { live, replaces }: { live: readonly LiveSession[]; replaces: SessionName | undefined },
  now = Date.now(),
): Promise<OpenedSession> {
  const others = live.filter((session) => session.sessionId !== replaces?.sessionId);
  const byUse = [...others].sort((a, b) => (rankOf(a) < rankOf(b) ? 1 : -1));
  const pushedOut = byUse.slice(MAX_DEVICES - 1).map((session) => session.sessionId);
  const ended = [...(replaces ? [replaces.sessionId] : []), ...pushedOut];
  const idle = Math.min(idleSeconds(), maxSeconds());
  const values: SqlValue[] = [appId, userId, sessionId, version, device, networkOf(ip), idle, maxSeconds(), null, null];
  for (const old of ended) {
    const by = old === replaces?.sessionId ? 'replaced' : 'pushed-out';
    values.push(appId, userId, old, version, '', '', 0, 0, sqlTime(now), by);
  }
  const tuple = '(?, ?, ?, ?, ?, ?, NOW(3) + INTERVAL ? SECOND, NOW(3) + INTERVAL ? SECOND, ?, ?)';
  // The session's id is a unique key: a repeat after a lost answer opens no second session. The end of a replaced
  // session is now, so that its row is deleted after two days: with a login a day there would be thirty of them.
  const open = () =>
    writeRepeatably(
      `INSERT INTO sessions
         (app_id, user_id, session_id, user_version, device, network, idle_until, ends_at, ended_at, ended_by)
       VALUES ${[sessionId, ...ended].map(() => tuple).join(', ')}
       ON DUPLICATE KEY UPDATE
         ends_at = IF(ended_at IS NULL AND VALUES(ended_by) = 'replaced', VALUES(ends_at), ends_at),
         ended_at = COALESCE(ended_at, VALUES(ended_at)), ended_by = COALESCE(ended_by, VALUES(ended_by))`,
      values,
    );
  const { result, settle } = await writeStrictUntil(sessionKeys(appId, userId, ended), open);
  // MySQL counts 1 for a new row, and 2 for a row that it changed.
  const isCertain = result.rowsAffected === 1 + 2 * ended.length;
  if (replaces && !isCertain) await checkReplaced(appId, userId, { opened: sessionId, replaces, settle });
  const surplus = others.length < MAX_DEVICES / 2 ? [] : await endSurplus(appId, userId);
  const expiresAt = new Date(now + maxSeconds() * 1000).toISOString();
  return { expiresAt, ended: [...ended, ...surplus], settle };
}

/**
 * A logout may end the session between admission and the statement. Then the login that it signed must not leave a
 * session behind. Throws SESSION_REVOKED.
 */
async function checkReplaced(
  appId: string,
  userId: string,
  { opened, replaces, settle }: { opened: string; replaces: SessionName; settle: OpenedSession['settle'] },
): Promise<void> {
  if (await isReplaced(appId, userId, replaces.sessionId)) return;
  await endSessions(appId, userId, [opened], 'revoked');
  await settle();
  throw new AppError('SESSION_REVOKED');
}

/** Several devices may have logged in at the same instant, and none of them saw the others. */
async function endSurplus(appId: string, userId: string): Promise<string[]> {
  const surplus = (await listSessions(appId, userId)).slice(MAX_DEVICES).map(({ id }) => id);
  await endSessions(appId, userId, surplus, 'pushed-out');
  return surplus;
}
