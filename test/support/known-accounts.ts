import { randomBytes } from 'node:crypto';
import type { Connection } from 'mysql2/promise';
import { newUserId } from '../../shared/session/token.ts';

/** The password of every account that this file creates. */
export const KNOWN_PASSWORD = 'seven-lanterns-over-water';
/** A hash with the parameters of shared/account/password.ts, as a registration makes it in 50 ms or more. */
const HASH = '$argon2id$v=19$m=19456,t=2,p=1$dGVzdC1zYWx0LXRlc3QxNg$C6QYqMGBb4ZZDtzWgedvpKK7U/FIScBrDBL0SA38Vp8';
/** A hash with the lowest parameters: it is compared at once. The first login with the right password replaces it. */
export const QUICK_HASH =
  '$argon2id$v=19$m=8,t=1,p=1$dGVzdC1zYWx0LXRlc3QxNg$n6X1y6tiEh+3v6GeLjPH+N5Ap6SWeEEqpf36MnPcT+k';

interface KnownAccount {
  account: string;
  userId: string;
}

/** A registered account. `quick`: a wrong password is refused in a millisecond, until the first successful login. */
export async function insertAccount(
  mysql: Connection,
  { profile = {}, quick = false }: { profile?: object; quick?: boolean } = {},
): Promise<KnownAccount> {
  const [account, userId] = [`u-${randomBytes(6).toString('hex')}`, newUserId()];
  await mysql.execute('INSERT INTO users (user_id, account, password_hash, profile) VALUES (?, ?, ?, ?)', [
    ...[userId, account, quick ? QUICK_HASH : HASH, JSON.stringify(profile)],
  ]);
  return { account, userId };
}

/** Replaces the hash, as if the password had been set long ago with other parameters. */
export async function makeHashQuick(mysql: Connection, account: string): Promise<void> {
  await mysql.execute('UPDATE users SET password_hash = ? WHERE account = ?', [QUICK_HASH, account]);
}
