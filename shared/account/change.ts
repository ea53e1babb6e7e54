import { ignoreEngine, writeStrict } from '../cache/write.ts';
import { query, type Row, type SqlValue, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { revokePluginTokens } from '../plugin/plugin.ts';
import type { CurrentUser } from '../session/session.ts';
import { sessionKey, userVersionKey } from '../swept-keys.ts';
import { hashPassword, verifyPassword } from './password.ts';

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
  await invalidateUserCopies([user.userId]);
}

/** Every session of a user has a copy of the user in Redis. This removes these copies. */
async function invalidateUserCopies(userIds: readonly string[]): Promise<void> {
  if (userIds.length === 0) return;
  const rows = await query(
    `SELECT app_id, user_id, session_id FROM sessions
      WHERE user_id IN (${userIds.map(() => '?').join(', ')}) AND ended_at IS NULL AND ends_at > NOW(3)`,
    [...userIds],
  );
  if (rows.length === 0) return;
  // Tombstones and not a plain delete, which would remove the tombstone of another writer.
  await writeStrict(rows.map(keyOfRow), async () => undefined);
}

const keyOfRow = (row: Row) => sessionKey(String(row.app_id), String(row.user_id), String(row.session_id));

/**
 * Changes the password. The calling session continues; all other sessions of the user end, at every app: one statement
 * raises the user's version and also that of this session. `former`, `next`: in their normal form. `address`: of the caller.
 * Throws
 * BAD_CREDENTIALS for a wrong former password, UNAVAILABLE when too many hashes wait; EngineError.
 */
export async function changePassword(
  appId: string,
  user: CurrentUser,
  { former, next, address }: { former: string; next: string; address: string },
): Promise<void> {
  const caller = { address, account: user.userId };
  const [row] = await query('SELECT password_hash, version FROM users WHERE user_id = ?', [user.userId]);
  const hash = (row?.password_hash ?? null) as string | null;
  if ((await verifyPassword(former, hash, caller)) === 'wrong') throw new AppError('BAD_CREDENTIALS');
  const renewed = await hashPassword(next, caller);
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
    // After a lost answer the repeated statement finds its own change. Otherwise another call changed the password
    // first.
    const [now] = await query('SELECT password_hash FROM users WHERE user_id = ?', [user.userId]);
    if (now?.password_hash !== renewed) throw new AppError('BAD_CREDENTIALS');
  }
  await revokeAllPluginTokens(user.userId);
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
async function revokeAllPluginTokens(userId: string): Promise<void> {
  const rows = await query('SELECT DISTINCT app_id FROM sessions WHERE user_id = ? AND ends_at > NOW(3)', [
    userId,
  ]).catch(noRows);
  await Promise.all(rows.map((row) => revokePluginTokens(String(row.app_id), userId, 'all')));
}

/**
 * Erases all personal data of the user and ends all sessions. Orders and ledger entries stay, with a user id that no
 * longer identifies a person. The login name, openid or channel id is free again: a later login with it creates a new
 * account. Throws EngineError.
 */
export async function eraseAccount(appId: string, user: CurrentUser): Promise<void> {
  await writeStrict([userVersionKey(user.userId), sessionKey(appId, user.userId, user.sessionId)], async () => {
    // The extra fields are erased in the same statement: a parallel write of fields then finds an erased user.
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
