import { writeStrict } from '../cache/write.ts';
import { query, type SqlValue, sqlTime, type Written, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import type { Key } from '../keys.ts';
import { sessionKey } from '../swept-keys.ts';
import { networkOf } from './network.ts';
import { idleSeconds, MAX_DEVICES, maxSeconds } from './session.ts';
import { mintSession } from './token.ts';

/** Opens, lists and ends the sessions of a user at an app, one for each device. */
export interface LiveSession {
  sessionId: string;
  lastSeenAt: string;
}

/** The device of a login: the text of its user-agent, at most 120 characters; its address, or the /64 of it. */
export interface Device {
  device: string;
  ip: string;
}

/** Sorts by last use, then by id, as findSession() does. */
const rankOf = ({ lastSeenAt, sessionId }: LiveSession): string => `${lastSeenAt} ${sessionId}`;

/**
 * Opens a session in one multi-row statement: it writes the new row, and ends the least recently used sessions if the
 * user has too many devices. The first call with the session makes its copy in Redis.
 */
export async function openSession(
  appId: string,
  user: { userId: string; version: number },
  { device, ip }: Device,
  live: readonly LiveSession[],
  now = Date.now(),
): Promise<{ token: string; expiresAt: string; sessionId: string; pushedOut: string[] }> {
  const { token, sessionId } = mintSession(appId, user.userId);
  const byUse = [...live].sort((a, b) => (rankOf(a) < rankOf(b) ? 1 : -1));
  const pushedOut = byUse.slice(MAX_DEVICES - 1).map((session) => session.sessionId);
  const idle = Math.min(idleSeconds(), maxSeconds());
  const values: SqlValue[] = [appId, user.userId, sessionId, user.version, device, networkOf(ip)];
  values.push(idle, maxSeconds(), null, null);
  for (const old of pushedOut) {
    values.push(appId, user.userId, old, user.version, '', '', 0, 0, sqlTime(now), 'pushed-out');
  }
  const tuple = '(?, ?, ?, ?, ?, ?, NOW(3) + INTERVAL ? SECOND, NOW(3) + INTERVAL ? SECOND, ?, ?)';
  // The session's id is a unique key: a repeat after a lost answer opens no second session.
  const open = (): Promise<Written> =>
    writeRepeatably(
      `INSERT INTO sessions
         (app_id, user_id, session_id, user_version, device, network, idle_until, ends_at, ended_at, ended_by)
       VALUES ${[sessionId, ...pushedOut].map(() => tuple).join(', ')}
       ON DUPLICATE KEY UPDATE ended_at = COALESCE(ended_at, VALUES(ended_at)), ended_by = COALESCE(ended_by, VALUES(ended_by))`,
      values,
    );
  const expiresAt = new Date(now + maxSeconds() * 1000).toISOString();
  if (pushedOut.length === 0) await open();
  else
    await writeStrict(
      pushedOut.map((old) => sessionKey(appId, user.userId, old)),
      open,
    );
  const surplus = live.length < MAX_DEVICES / 2 ? [] : await endSurplus(appId, user.userId);
  return { token, expiresAt, sessionId, pushedOut: [...pushedOut, ...surplus] };
}

/** Several devices may have logged in at the same instant, and none of them saw the others. */
async function endSurplus(appId: string, userId: string): Promise<string[]> {
  const surplus = (await listSessions(appId, userId)).slice(MAX_DEVICES).map(({ id }) => id);
  await endSessions(appId, userId, surplus, 'pushed-out');
  return surplus;
}

export const sessionKeys = (appId: string, userId: string, ids: readonly string[]): Key[] =>
  ids.map((id) => sessionKey(appId, userId, id));

/** Ends sessions of a user at an app, everywhere at once. */
export async function endSessions(
  appId: string,
  userId: string,
  ids: readonly string[],
  by: 'logout' | 'revoked' | 'pushed-out',
): Promise<void> {
  if (ids.length === 0) return;
  await writeStrict(sessionKeys(appId, userId, ids), () =>
    writeRepeatably(
      `UPDATE sessions SET ended_at = NOW(3), ended_by = ?
        WHERE app_id = ? AND user_id = ? AND session_id IN (?) AND ended_at IS NULL`.replace(
        '(?)',
        `(${ids.map(() => '?').join(', ')})`,
      ),
      [by, appId, userId, ...ids],
    ),
  );
}

interface ListedSession {
  id: string;
  device: string;
  createdAt: string;
  /** Right to five minutes. */
  lastSeenAt: string;
  /** Of the last use: `203.0.0.0/16` or `2001:db8::/32`; null: not known. */
  network: string | null;
}

export async function listSessions(appId: string, userId: string): Promise<ListedSession[]> {
  const rows = await query(
    `SELECT s.session_id, s.device, s.network, s.created_at, s.last_seen_at
       FROM sessions s JOIN users u ON u.user_id = s.user_id AND u.version = s.user_version
      WHERE s.app_id = ? AND s.user_id = ? AND s.ended_at IS NULL AND s.idle_until > NOW(3) AND s.ends_at > NOW(3)
      ORDER BY s.last_seen_at DESC, s.session_id DESC`,
    [appId, userId],
  );
  return rows.map((row) => ({
    id: String(row.session_id),
    device: String(row.device),
    createdAt: String(row.created_at),
    lastSeenAt: String(row.last_seen_at),
    network: String(row.network) || null,
  }));
}

/** Throws NOT_FOUND also for a session of another user and for one that already ended. */
export async function revokeSession(appId: string, userId: string, sessionId: string): Promise<void> {
  if (!/^[0-9a-f]{32}$/.test(sessionId)) throw new AppError('NOT_FOUND');
  const live = await listSessions(appId, userId);
  if (!live.some(({ id }) => id === sessionId)) throw new AppError('NOT_FOUND');
  await endSessions(appId, userId, [sessionId], 'revoked');
}
