import { randomBytes } from 'node:crypto';
import type { Connection } from 'mysql2/promise';
import { newUserId } from '../../shared/session/token.ts';

/** The password of every account that is made here. */
export const KNOWN_PASSWORD = 'seven-lanterns-over-water';
/** Made with the parameters of shared/account/password.ts, as a registration would make it, which takes 50 ms and more. */
const HASH = '$argon2id$v=19$m=19456,t=2,p=1$dGVzdC1zYWx0LXRlc3QxNg$C6QYqMGBb4ZZDtzWgedvpKK7U/FIScBrDBL0SA38Vp8';
/** Made with the least parameters there are: compared at once, and renewed by the login that gets the password right. */
export const QUICK_HASH =
  '$argon2id$v=19$m=8,t=1,p=1$dGVzdC1zYWx0LXRlc3QxNg$n6X1y6tiEh+3v6GeLjPH+N5Ap6SWeEEqpf36MnPcT+k';

interface KnownAccount {
  account: string;
  userId: string;
}

/** An account past its registration. `quick`: wrong passwords are refused in a millisecond, until a right one came. */
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

/** As if the password had been set long ago, under other parameters. */
export async function makeHashQuick(mysql: Connection, account: string): Promise<void> {
  await mysql.execute('UPDATE users SET password_hash = ? WHERE account = ?', [QUICK_HASH, account]);
}
