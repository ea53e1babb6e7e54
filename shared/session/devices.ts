import { writeStrict } from '../cache/write.ts';
import { query, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import type { Key } from '../keys.ts';
import { sessionKey } from '../swept-keys.ts';

/** Lists and ends the sessions of a user at an app, one for each device. */
export interface LiveSession {
  sessionId: string;
  lastSeenAt: string;
}

/** The device of a login: the text of its user-agent, at most 120 characters; its address, or the /64 of it. */
export interface Device {
  device: string;
  ip: string;
}

export const sessionKeys = (appId: string, userId: string, ids: readonly string[]): Key[] =>
  ids.map((id) => sessionKey(appId, userId, id));

/** Ends sessions of a user at an app, everywhere at once. Returns how many of them were alive. */
export async function endSessions(
  appId: string,
  userId: string,
  ids: readonly string[],
  by: 'logout' | 'revoked' | 'pushed-out' | 'replaced',
): Promise<number> {
  if (ids.length === 0) return 0;
  const { rowsAffected } = await writeStrict(sessionKeys(appId, userId, ids), () =>
    writeRepeatably(
      `UPDATE sessions SET ended_at = NOW(3), ended_by = ?
        WHERE app_id = ? AND user_id = ? AND session_id IN (?) AND ended_at IS NULL`.replace(
        '(?)',
        `(${ids.map(() => '?').join(', ')})`,
      ),
      [by, appId, userId, ...ids],
    ),
  );
  return rowsAffected;
}

/** Whether a login that the session signed has taken its place. */
export async function isReplaced(appId: string, userId: string, sessionId: string): Promise<boolean> {
  const [row] = await query('SELECT ended_by FROM sessions WHERE app_id = ? AND user_id = ? AND session_id = ?', [
    appId,
    userId,
    sessionId,
  ]);
  return row?.ended_by === 'replaced';
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
