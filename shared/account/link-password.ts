import { writeStrict } from '../cache/write.ts';
import { query, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { userVersionKey } from '../swept-keys.ts';
import { isTaken } from './identity-rows.ts';
import { type ShownIdentity, shownPassword } from './own-identities.ts';
import type { OwnSession } from './own-session.ts';
import { hashPassword, verifyPassword } from './password.ts';
import { isReservedAccount, notReserved } from './reserved-names.ts';

/**
 * Gives an account name and a password to a user who has none. `account`, `password`: in their normal form. The same call
 * again, after a lost answer, finds them and succeeds. Throws ACCOUNT_EXISTS if the name is taken, or the user has another
 * one; UNAVAILABLE when too many hashes wait; EngineError.
 */
export async function linkPassword(
  { appId, userId, sessionId }: OwnSession,
  { account, password, address }: { account: string; password: string; address: string },
): Promise<ShownIdentity> {
  const caller = { address, account: userId };
  if (isReservedAccount(account)) throw new AppError('ACCOUNT_EXISTS');
  const passwordHash = await hashPassword(password, caller);
  const [condition, reserved] = notReserved(account);
  const write = () =>
    writeRepeatably(
      `UPDATE users u JOIN sessions s ON s.user_id = u.user_id AND s.user_version = u.version AND s.ended_at IS NULL
          SET u.account = ?, u.password_hash = ?, u.account_since = NOW(3)
        WHERE s.app_id = ? AND s.session_id = ? AND u.user_id = ? AND u.account IS NULL AND u.disabled_at IS NULL
          AND u.erased_at IS NULL AND ${condition}`,
      [account, passwordHash, appId, sessionId, userId, ...reserved],
    );
  await writeStrict([userVersionKey(userId)], write).catch((error: unknown) => {
    if (!isTaken(error)) throw error;
  });
  const [row] = await query(
    `SELECT u.account, u.password_hash, COALESCE(u.account_since, u.created_at) AS since
       FROM users u JOIN sessions s ON s.user_id = u.user_id AND s.user_version = u.version AND s.ended_at IS NULL
      WHERE s.app_id = ? AND s.session_id = ? AND u.user_id = ? AND u.disabled_at IS NULL`,
    [appId, sessionId, userId],
  );
  if (!row) throw new AppError('SESSION_REVOKED');
  const isOurs = row.account === account && row.password_hash === passwordHash;
  const isEqual = async () =>
    row.account === account && (await verifyPassword(password, row.password_hash as string, caller)) !== 'wrong';
  if (!isOurs && !(await isEqual())) throw new AppError('ACCOUNT_EXISTS');
  return shownPassword(account, String(row.since));
}
