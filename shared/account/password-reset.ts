import { createHash, randomBytes } from 'node:crypto';
import { writeStrict } from '../cache/write.ts';
import { query, type Transaction, withTransaction, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { userVersionKey } from '../swept-keys.ts';
import { revokeAllPluginTokens } from './change.ts';
import { hashPassword } from './password.ts';

/**
 * A password that the user has forgotten. An operator, who knows the user in another way, makes a token for it. MySQL has
 * only a hash of the token. A new token replaces the former one.
 */
const MINUTES = 30;

const hashOf = (token: string): string => createHash('sha256').update(token).digest('hex');

/** Throws NOT_FOUND if there is no such user with an account name; EngineError. */
export async function makeResetToken(
  userId: string,
  actor: string,
): Promise<{ resetToken: string; expiresAt: string }> {
  const resetToken = randomBytes(32).toString('base64url');
  const statements = async ({ query: ask, write }: Transaction): Promise<string> => {
    const sql = 'SELECT account FROM users WHERE user_id = ? AND erased_at IS NULL FOR UPDATE';
    const [user] = await ask(sql, [userId]);
    if (!user || user.account === null) throw new AppError('NOT_FOUND');
    await write('DELETE FROM password_resets WHERE user_id = ?', [userId]);
    await write(
      `INSERT INTO password_resets (token_hash, user_id, ends_at) VALUES (?, ?, NOW(3) + INTERVAL ${MINUTES} MINUTE)`,
      [hashOf(resetToken), userId],
    );
    await write(...operatorLogStatement({ actor, action: 'user.reset-password', subject: userId }));
    const [made] = await ask('SELECT ends_at FROM password_resets WHERE token_hash = ?', [hashOf(resetToken)]);
    return String(made?.ends_at);
  };
  return { resetToken, expiresAt: await withTransaction(statements) };
}

/** Whether the user has a token that can be used. Throws EngineError. */
export async function hasResetToken(userId: string): Promise<boolean> {
  const sql = 'SELECT 1 AS live FROM password_resets WHERE user_id = ? AND used_at IS NULL AND ends_at > NOW(3)';
  return (await query(sql, [userId])).length > 0;
}

interface Reset {
  resetToken: string;
  /** In its normal form. */
  password: string;
  /** Refuses a password that is easy to guess for this account name. */
  check(account: string | null): Promise<void>;
  address: string;
}

/**
 * Sets the password and ends all sessions, in the statement that uses up the token. Throws BAD_CREDENTIALS for a token
 * that is unknown, used or too old; UNAVAILABLE when too many hashes wait; EngineError.
 */
export async function resetPassword({ resetToken, password, check, address }: Reset): Promise<void> {
  const tokenHash = hashOf(resetToken);
  const [found] = await query(
    `SELECT r.user_id, u.account FROM password_resets r JOIN users u ON u.user_id = r.user_id AND u.erased_at IS NULL
      WHERE r.token_hash = ? AND r.used_at IS NULL AND r.ends_at > NOW(3) AND u.account IS NOT NULL`,
    [tokenHash],
  );
  if (!found) throw new AppError('BAD_CREDENTIALS');
  const userId = String(found.user_id);
  await check(found.account as string | null);
  const passwordHash = await hashPassword(password, { address, account: userId });
  const { rowsAffected } = await writeStrict([userVersionKey(userId)], () =>
    writeRepeatably(
      `UPDATE users u JOIN password_resets r ON r.user_id = u.user_id
          SET u.password_hash = ?, u.version = u.version + 1, r.used_at = NOW(3)
        WHERE r.token_hash = ? AND r.used_at IS NULL AND r.ends_at > NOW(3) AND u.erased_at IS NULL
          AND u.account IS NOT NULL`,
      [passwordHash, tokenHash],
    ),
  );
  if (rowsAffected === 0) {
    // A statement that was repeated after a lost answer finds its own hash. Otherwise another call used the token.
    const [now] = await query('SELECT password_hash FROM users WHERE user_id = ?', [userId]);
    if (now?.password_hash !== passwordHash) throw new AppError('BAD_CREDENTIALS');
  }
  await revokeAllPluginTokens(userId);
}
