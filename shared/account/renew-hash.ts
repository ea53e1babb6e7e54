import { ignoreEngine } from '../cache/write.ts';
import { writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import type { LoginAccount } from './account.ts';
import type { HashCaller } from './hash-queue.ts';
import { hashPassword } from './password.ts';

/**
 * Replaces a hash that was made with former parameters. The queue of hashes refuses it, or MySQL is down: the login
 * succeeds, and the next one renews the hash. `password`: the right one, in its normal form.
 */
export async function renewHash(
  account: Pick<LoginAccount, 'userId' | 'passwordHash'>,
  password: string,
  caller: HashCaller,
): Promise<void> {
  const renewed = await hashPassword(password, caller).catch(ifRefused);
  if (renewed === undefined) return;
  await writeRepeatably('UPDATE users SET password_hash = ? WHERE user_id = ? AND password_hash = ?', [
    renewed,
    account.userId,
    account.passwordHash ?? '',
  ]).catch(ignoreEngine);
}

function ifRefused(error: unknown): undefined {
  if (!(error instanceof AppError) || (error.code !== 'LOCKED' && error.code !== 'UNAVAILABLE')) throw error;
}
