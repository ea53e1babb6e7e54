import { query } from '../db.ts';
import { normalAccount } from './account.ts';

/** What an operator sees of a user: only what support needs, so no profile and no password. */
interface FoundUser {
  userId: string;
  /** Login name, or the address of a channel account; null when it has neither. */
  account: string | null;
  state: 'enabled' | 'disabled' | 'erased';
  loginBy: 'password' | 'wechat' | 'channel' | 'none';
  createdAt: string;
}

/**
 * Finds a user by what a user can report: a login name or channel address, an openid, or a user id. null: there is no
 * such user. Throws EngineError.
 */
export async function findUser(by: 'account' | 'openid' | 'user', value: string): Promise<FoundUser | null> {
  const columns = { account: ['account', 'account_address'], openid: ['wechat_openid'], user: ['user_id'] }[by];
  for (const column of columns) {
    const wanted = column === 'account' ? normalAccount(value) : value;
    const [row] = await query(
      `SELECT user_id, account, account_address, wechat_openid, disabled_at, erased_at, created_at
         FROM users WHERE ${column} = ?`,
      [wanted],
    );
    if (!row) continue;
    const { account, account_address: address, wechat_openid: openid } = row;
    return {
      userId: String(row.user_id),
      account: (account ?? address ?? null) as string | null,
      state: row.erased_at !== null ? 'erased' : row.disabled_at !== null ? 'disabled' : 'enabled',
      loginBy: account !== null ? 'password' : openid !== null ? 'wechat' : address !== null ? 'channel' : 'none',
      createdAt: String(row.created_at),
    };
  }
  return null;
}
