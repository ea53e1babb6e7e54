import { ignoreEngine, writeStrict } from '../cache/write.ts';
import { query, type Row, type SqlValue, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { revokePluginTokens } from '../plugin/plugin.ts';
import type { CurrentUser } from '../session/session.ts';
import { sessionKey, userVersionKey } from '../swept-keys.ts';
import { hashPassword, verifyPassword } from './password.ts';

/**
 * What changes an account. Sessions are stamped with the user's version: a statement that moves it ends them all, in
 * MySQL at once and in Redis by the tombstone that stands before the statement.
 */

/** Members that are undefined stay as they are. */
export async function changeUser(
  appId: string,
  user: CurrentUser,
  change: { profile?: Record<string, unknown>; fields?: Record<string, unknown> },
): Promise<void> {
  const sets: string[] = ['u.updated_at = NOW(3)'];
  const values: SqlValue[] = [];
  let join = '';
  if (change.profile) {
    sets.push('u.profile = ?');
    values.push(JSON.stringify(change.profile));
  }
  if (change.fields) {
    const row = [appId, user.userId];
    await writeRepeatably("INSERT IGNORE INTO user_fields (app_id, user_id, fields) VALUES (?, ?, '{}')", row);
    join = 'JOIN user_fields f ON f.user_id = u.user_id AND f.app_id = ?';
    sets.push('f.fields = ?');
    values.push(JSON.stringify(change.fields));
  }
  const sql = `UPDATE users u ${join} SET ${sets.join(', ')} WHERE u.user_id = ? AND u.erased_at IS NULL`;
  await writeStrict([sessionKey(appId, user.userId, user.sessionId)], () =>
    writeRepeatably(sql, [...(join ? [appId] : []), ...values, user.userId]),
  );
  await forgetUserCopies([user.userId]);
}

/** Copies of a user stand in each of its sessions; after this they are taken from MySQL again. */
async function forgetUserCopies(userIds: readonly string[]): Promise<void> {
  if (userIds.length === 0) return;
  const rows = await query(
    `SELECT app_id, user_id, session_id FROM sessions
      WHERE user_id IN (${userIds.map(() => '?').join(', ')}) AND ended_at IS NULL AND ends_at > NOW(3)`,
    [...userIds],
  );
  if (rows.length === 0) return;
  // By tombstones, not by a plain delete: another writer may be at work on the same session.
  await writeStrict(rows.map(keyOfRow), async () => undefined);
}

const keyOfRow = (row: Row) => sessionKey(String(row.app_id), String(row.user_id), String(row.session_id));

/**
 * The session at hand goes on, all others of the user end, at every app: one statement moves the user's version and
 * takes this session along. Throws BAD_CREDENTIALS.
 */
export async function changePassword(appId: string, user: CurrentUser, former: string, next: string): Promise<void> {
  const [row] = await query('SELECT password_hash, version FROM users WHERE user_id = ?', [user.userId]);
  const hash = (row?.password_hash ?? null) as string | null;
  if ((await verifyPassword(former, hash)) === 'wrong') throw new AppError('BAD_CREDENTIALS');
  const renewed = await hashPassword(next);
  const version = Number(row?.version);
  const keys = [userVersionKey(user.userId), sessionKey(appId, user.userId, user.sessionId)];
  const written = await writeStrict(keys, () =>
    writeRepeatably(
      `UPDATE users u JOIN sessions s ON s.user_id = u.user_id AND s.app_id = ? AND s.session_id = ?
          SET u.password_hash = ?, u.version = ?, s.user_version = ?
        WHERE u.user_id = ? AND u.version = ? AND u.password_hash = ? AND s.ended_at IS NULL`,
      [appId, user.sessionId, renewed, version + 1, version + 1, user.userId, version, hash],
    ),
  );
  if (written.rowsAffected === 0) {
    // Repeated after a lost answer it finds its own work done; otherwise somebody else was faster.
    const [now] = await query('SELECT password_hash FROM users WHERE user_id = ?', [user.userId]);
    if (now?.password_hash !== renewed) throw new AppError('BAD_CREDENTIALS');
  }
  await revokeAllPluginTokens(user.userId);
}

/** The rows only tell whom to notify: validation knows without them. */
function noRows(error: unknown): [] {
  ignoreEngine(error);
  return [];
}

/** At every app: a token that was made under a former version of the user is dead, and plugin servers are told so. */
async function revokeAllPluginTokens(userId: string): Promise<void> {
  const rows = await query('SELECT DISTINCT app_id FROM sessions WHERE user_id = ? AND ends_at > NOW(3)', [
    userId,
  ]).catch(noRows);
  await Promise.all(rows.map((row) => revokePluginTokens(String(row.app_id), userId, 'all')));
}

/**
 * Takes away whatever tells who the user was, and ends all sessions. Rows of money stay, under an id that leads to
 * nobody. The account's name, openid or channel id is free again: who logs in with it gets a new account.
 */
export async function eraseAccount(appId: string, user: CurrentUser): Promise<void> {
  await writeStrict([userVersionKey(user.userId), sessionKey(appId, user.userId, user.sessionId)], async () => {
    // Fields go with the row in one statement: a write of theirs that comes between finds an erased user.
    await writeRepeatably(
      `UPDATE users u LEFT JOIN sessions s ON s.user_id = u.user_id LEFT JOIN user_fields f ON f.user_id = u.user_id
          SET f.fields = '{}', u.account = NULL, u.password_hash = NULL, u.wechat_openid = NULL, u.channel = NULL,
              u.channel_user_id = NULL, u.account_address = NULL, u.profile = '{}', u.erased_at = NOW(3),
              u.version = u.version + 1, s.device = '', s.ended_at = COALESCE(s.ended_at, NOW(3)),
              s.ended_by = COALESCE(s.ended_by, 'erased')
        WHERE u.user_id = ? AND u.erased_at IS NULL`,
      [user.userId],
    );
  });
  await revokeAllPluginTokens(user.userId);
}

/** For the operator: a disabled user is out with the next request, everywhere. Throws NOT_FOUND. */
export async function setUserDisabled(userId: string, disabled: boolean): Promise<void> {
  if (!/^[A-Za-z0-9_-]{1,32}$/.test(userId)) throw new AppError('NOT_FOUND');
  const written = await writeStrict([userVersionKey(userId)], () =>
    writeRepeatably(
      disabled
        ? `UPDATE users SET disabled_at = COALESCE(disabled_at, NOW(3)), version = version + 1
            WHERE user_id = ? AND erased_at IS NULL`
        : 'UPDATE users SET disabled_at = NULL WHERE user_id = ? AND erased_at IS NULL',
      [userId],
    ),
  );
  if (written.rowsAffected === 0) throw new AppError('NOT_FOUND');
  if (disabled) await revokeAllPluginTokens(userId);
}
