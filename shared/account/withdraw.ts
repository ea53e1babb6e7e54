import { query, sqlTime, writeRepeatably } from '../db.ts';
import { alarm, count } from '../telemetry.ts';
import { defaultProgramId } from '../wechat/mini-program.ts';
import { invalidateUserCopies } from './user-copies.ts';

/** What a user gave to a mini-program and can withdraw at WeChat. */
interface Withdrawn {
  /** Nickname and picture. */
  profile: boolean;
  phone: boolean;
}

/** Members of a profile with nickname and picture. The names are those of WeChat's own samples. */
const PROFILE_PATHS = ['nickname', 'nickName', 'avatar', 'avatarUrl'].map((name) => `'$.${name}'`).join(', ');
const HOLDS_PROFILE = `JSON_CONTAINS_PATH(profile, 'one', ${PROFILE_PATHS})`;

/**
 * WeChat reports a withdrawal within seconds. What the user gave more than this long after the withdrawal is a new
 * consent, and a late or repeated report does not erase it. The clocks of WeChat and MySQL differ by less.
 */
const REPORT_SECONDS = 60;

/**
 * Erases what the person withdrew at this mini-program, and renews the copies of the user in sessions. An unknown
 * openid: nothing to do. It may run any number of times, also at the same time. `at`: when the person withdrew it, Unix
 * seconds. Throws EngineError: then a part may be erased, and it has to run again.
 */
export async function withdrawConsent(
  wechatAppid: string,
  openid: string,
  { profile, phone }: Withdrawn,
  at: number,
): Promise<void> {
  if (!profile && !phone) return;
  const userIds = await findUsers(wechatAppid, openid);
  const until = sqlTime((at + REPORT_SECONDS) * 1000);
  for (const userId of userIds) {
    if (profile) await eraseProfile(userId, until);
    if (phone) await erasePhone(userId, until);
    count('account.consent-withdrawn');
  }
  await invalidateUserCopies(userIds);
}

/** The column `users.wechat_openid` has openids of the default mini-program, also those that the former release wrote. */
async function findUsers(wechatAppid: string, openid: string): Promise<string[]> {
  const inIdentities = "SELECT user_id FROM identities WHERE platform = 'wechat' AND platform_app = ? AND subject = ?";
  const rows =
    wechatAppid === defaultProgramId()
      ? await query(`${inIdentities} UNION SELECT user_id FROM users WHERE wechat_openid = ?`, [
          wechatAppid,
          openid,
          openid,
        ])
      : await query(inIdentities, [wechatAppid, openid]);
  return rows.map((row) => String(row.user_id));
}

/** If the profile was written later, a person decides whether a new consent was given. */
async function eraseProfile(userId: string, until: string): Promise<void> {
  const { rowsAffected } = await writeRepeatably(
    `UPDATE users SET profile = JSON_REMOVE(profile, ${PROFILE_PATHS})
      WHERE user_id = ? AND COALESCE(profile_at, created_at) <= ? AND ${HOLDS_PROFILE}`,
    [userId, until],
  );
  if (rowsAffected > 0) return;
  const [kept] = await query(`SELECT 1 FROM users WHERE user_id = ? AND ${HOLDS_PROFILE}`, [userId]);
  if (kept) alarm('withdrawn-profile-kept', { userId });
}

const erasePhone = (userId: string, until: string) =>
  writeRepeatably("DELETE FROM identities WHERE platform = 'phone' AND user_id = ? AND created_at <= ?", [
    userId,
    until,
  ]);
