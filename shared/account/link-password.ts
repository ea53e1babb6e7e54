import { writeStrict } from '../cache/write.ts';
import { query, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { userVersionKey } from '../swept-keys.ts';
import { isTaken } from './identity.ts';
import { type ShownIdentity, shownPassword } from './own-identities.ts';
import { isReservedAccount, notReserved } from './reserved-names.ts';

/**
 * Gives an account name and a password to a user who has none. `account`: in its normal form. Throws ACCOUNT_EXISTS if
 * the name is taken, or the user has another one; EngineError.
 */
export async function linkPassword(userId: string, account: string, passwordHash: string): Promise<ShownIdentity> {
  if (isReservedAccount(account)) throw new AppError('ACCOUNT_EXISTS');
  const [condition, reserved] = notReserved(account);
  const write = () =>
    writeRepeatably(
      `UPDATE users SET account = ?, password_hash = ?, account_since = NOW(3)
        WHERE user_id = ? AND account IS NULL AND erased_at IS NULL AND ${condition}`,
      [account, passwordHash, userId, ...reserved],
    );
  await writeStrict([userVersionKey(userId)], write).catch((error: unknown) => {
    if (!isTaken(error)) throw error;
  });
  // The user has a name already, or it is taken. A statement that was repeated after a lost answer finds its own.
  const [row] = await query('SELECT account, password_hash, account_since FROM users WHERE user_id = ?', [userId]);
  if (row?.account !== account || row.password_hash !== passwordHash) throw new AppError('ACCOUNT_EXISTS');
  return shownPassword(account, String(row.account_since));
}
