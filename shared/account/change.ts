import { ignoreEngine, writeStrict } from '../cache/write.ts';
import { query, type SqlValue, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { revokePluginTokens } from '../plugin/plugin.ts';
import type { CurrentUser } from '../session/session.ts';
import { sessionKey, userVersionKey } from '../swept-keys.ts';
import { invalidateUserCopies } from './user-copies.ts';

/**
 * Changes of an account. Each session carries the version of its user. A statement that raises the user's version ends
 * all sessions of the user: in MySQL at once, and in Redis through the tombstone of writeStrict().
 */

/** Replaces profile, extra fields, or both; undefined members stay as they are. Throws EngineError. */
export async function changeUser(
  appId: string,
  user: CurrentUser,
  change: { profile?: Record<string, unknown>; fields?: Record<string, unknown> },
): Promise<void> {
  const sets: string[] = ['u.updated_at = NOW(3)'];
  const values: SqlValue[] = [];
  let join = '';
  if (change.profile) {
    sets.push('u.profile = ?', 'u.profile_at = NOW(3)');
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
  await invalidateUserCopies([user.userId]);
}

/**
 * The rows are needed only to notify plugin servers. Validation does not depend on them, so the change still succeeds.
 */
function noRows(error: unknown): [] {
  ignoreEngine(error);
  return [];
}

/**
 * Notifies plugin servers at every app: tokens that were made under a former version of the user are no longer valid.
 */
export async function revokeAllPluginTokens(userId: string): Promise<void> {
  const rows = await query('SELECT DISTINCT app_id FROM sessions WHERE user_id = ? AND ends_at > NOW(3)', [
    userId,
  ]).catch(noRows);
  await Promise.all(rows.map((row) => revokePluginTokens(String(row.app_id), userId, 'all')));
}

/**
 * For the operator. Disabling ends all sessions of the user at every app, with the next request. Throws NOT_FOUND,
 * EngineError.
 */
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
