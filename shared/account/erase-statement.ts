import type { Transaction } from '../db.ts';

/** The extra fields are erased in the same statement: a parallel write of fields then finds an erased user. */
export const ERASE = `UPDATE users u LEFT JOIN sessions s ON s.user_id = u.user_id LEFT JOIN user_fields f ON f.user_id = u.user_id
     SET f.fields = '{}', u.account = NULL, u.password_hash = NULL, u.wechat_openid = NULL, u.channel = NULL,
         u.channel_user_id = NULL, u.account_address = NULL, u.profile = '{}', u.erased_at = NOW(3),
         u.version = u.version + 1, s.device = '', s.network = '', s.ended_at = COALESCE(s.ended_at, NOW(3)),
         s.ended_by = COALESCE(s.ended_by, 'erased')
   WHERE u.user_id = ? AND u.erased_at IS NULL`;

/** The user `from` has ended, and `into` takes its place, also for those that ended into `from` before: one step leads there. */
export async function endInto(from: string, into: string, write: Transaction['write']): Promise<void> {
  await write('UPDATE users SET merged_into = ? WHERE user_id = ?', [into, from]);
  await write('UPDATE users SET merged_into = ? WHERE merged_into = ?', [into, from]);
}
