import { writeStrict } from '../cache/write.ts';
import { query, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import type { CurrentUser } from '../session/session.ts';
import { sessionKey, userVersionKey } from '../swept-keys.ts';
import { revokeAllPluginTokens } from './change.ts';
import { hashPassword, verifyPassword } from './password.ts';

/**
 * Changes the password. The calling session continues; all other sessions of the user end, at every app: one statement
 * raises the user's version and also that of this session. `former`, `next`: in their normal form. `address`: of the
 * caller. Throws BAD_CREDENTIALS for a wrong former password, UNAVAILABLE when too many hashes wait; EngineError.
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
