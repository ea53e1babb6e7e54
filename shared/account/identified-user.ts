import { query, type Row, type SqlValue, type Transaction, withTransaction } from '../db.ts';
import { defaultProgramId } from '../wechat/mini-program.ts';
import { channelIdentity, type Identity, isSame, type NewIdentity, wechatIdentity } from './identity.ts';
import { IDENTITY_CHANGE, identitiesOf, identitiesOfAll, insertStatement, isTaken } from './identity-rows.ts';

/** A user with all identities. */
export interface IdentifiedUser {
  userId: string;
  account: string | null;
  version: number;
  disabled: boolean;
  /** RFC 3339. */
  accountSince: string;
  identities: Identity[];
}

/**
 * Locks the row of the user, and moves what the former release has stored in its columns into rows. null: there is no
 * such user, or it was erased. For two users take lockUsers().
 */
export async function lockUser(userId: string, { query, write }: Transaction): Promise<IdentifiedUser | null> {
  const [row] = await query(`SELECT ${USER_COLUMNS} FROM users WHERE user_id = ? AND erased_at IS NULL FOR UPDATE`, [
    userId,
  ]);
  if (!row) return null;
  let identities = await identitiesOf(userId, query);
  // The same openid at another mini-program: that one was the default when the column was written.
  const isKnown = ({ platform, subject }: NewIdentity): boolean =>
    identities.some((known) => known.platform === platform && known.subject === subject);
  const former = formerIdentities(row).filter((identity) => !isKnown(identity));
  if (former.length > 0) {
    // The former release leaves the rows of a user whom it erases.
    for (const identity of former) await write(...deleteOfErased(identity));
    for (const identity of former) {
      const [sql, values] = insertStatement(userId, identity);
      await write(sql.replace('INSERT', 'INSERT IGNORE'), values);
    }
    identities = await identitiesOf(userId, query);
  }
  return identified(userId, row, identities);
}

const deleteOfErased = ({ platform, platformApp, subject }: NewIdentity): [string, SqlValue[]] => [
  `DELETE i FROM identities i JOIN users u ON u.user_id = i.user_id
    WHERE i.platform = ? AND i.platform_app = ? AND i.subject = ? AND u.erased_at IS NOT NULL`,
  [platform, platformApp, subject],
];

/** Gives a row to the openid of a user who has it in the column only. Throws EngineError. */
export async function adoptOpenid({ platformApp, subject }: NewIdentity): Promise<void> {
  if (platformApp !== defaultProgramId()) return;
  const [row] = await query(
    `SELECT u.user_id FROM users u WHERE u.wechat_openid = ? AND u.erased_at IS NULL
       AND NOT EXISTS (SELECT 1 FROM identities i WHERE i.user_id = u.user_id AND i.platform = 'wechat'
         AND i.platform_app = ? AND i.subject = ?)`,
    [subject, platformApp, subject],
  );
  if (row) await withTransaction((transaction) => lockUser(String(row.user_id), transaction), IDENTITY_CHANGE);
}

/**
 * The same for several users, in one order, so that two calls do not wait for each other. All rows are locked before
 * anything else is read: the first plain read of a transaction decides which commits its later reads see, and a read
 * before the last lock would miss what this lock waited for.
 */
export async function lockUsers(
  userIds: readonly string[],
  transaction: Transaction,
): Promise<Map<string, IdentifiedUser | null>> {
  const sorted = [...userIds].sort();
  for (const userId of sorted) await transaction.query('SELECT 1 FROM users WHERE user_id = ? FOR UPDATE', [userId]);
  const users = new Map<string, IdentifiedUser | null>();
  for (const userId of sorted) users.set(userId, await lockUser(userId, transaction));
  return users;
}

const USER_COLUMNS = `account, account_since, version, disabled_at, created_at, wechat_openid, channel, channel_user_id,
  account_address`;

const identified = (userId: string, row: Row, identities: Identity[]): IdentifiedUser => ({
  userId,
  account: row.account as string | null,
  version: Number(row.version),
  disabled: row.disabled_at !== null,
  accountSince: String(row.account_since ?? row.created_at),
  identities,
});

/** A user as it is read, perhaps erased. */
export interface KnownUser extends IdentifiedUser {
  erased: boolean;
  /** The user that has taken its place; null: it was not merged. */
  mergedInto: string | null;
  /** RFC 3339. */
  createdAt: string;
}

/** Without a lock, and without a change: what is still in columns only is listed, too. Erased users are among them. */
export async function readUsers(userIds: readonly string[]): Promise<KnownUser[]> {
  if (userIds.length === 0) return [];
  const marks = userIds.map(() => '?').join(', ');
  const users = await query(
    `SELECT user_id, erased_at, merged_into, ${USER_COLUMNS} FROM users WHERE user_id IN (${marks})`,
    userIds,
  );
  const identities = await identitiesOfAll(userIds, query);
  return users.map((row) => {
    const userId = String(row.user_id);
    const createdAt = String(row.created_at);
    const rows = identities.filter((identity) => identity.userId === userId);
    const former = formerIdentities(row).filter((identity) => !rows.some((known) => isSame(known, identity)));
    const all = [...former.map((identity) => ({ ...identity, userId, createdAt })), ...rows];
    const mergedInto = row.merged_into as string | null;
    return { ...identified(userId, row, all), erased: row.erased_at !== null, mergedInto, createdAt };
  });
}

/** null: there is no such user, or it was erased. */
export async function readUser(userId: string): Promise<IdentifiedUser | null> {
  const [user] = await readUsers([userId]);
  return user && !user.erased ? user : null;
}

function formerIdentities(row: Row): NewIdentity[] {
  const { wechat_openid: openid, channel, channel_user_id: channelUser, account_address: address } = row;
  const program = defaultProgramId();
  return [
    ...(openid !== null && program !== undefined
      ? [wechatIdentity({ wechatAppid: program, openid: String(openid), unionid: null })]
      : []),
    ...(channel !== null && channelUser !== null
      ? [channelIdentity({ channel: String(channel), channelUserId: String(channelUser), address: String(address) })]
      : []),
  ];
}

/**
 * The columns of `users` that the former release reads: the newest openid at the deployment's own mini-program, and one
 * channel user. `rows`: the oldest first.
 */
export function formerColumns(rows: readonly NewIdentity[]): Array<[column: string, value: string | null]> {
  const program = defaultProgramId();
  const channel = rows.find((row) => row.platform === 'channel');
  const openid = rows.findLast((row) => row.platform === 'wechat' && row.platformApp === program);
  return [
    ['channel', channel?.platformApp ?? null],
    ['channel_user_id', channel?.subject ?? null],
    ['account_address', channel?.address ?? null],
    // Without WECHAT_APPID nobody knows which mini-program the openid in the column belongs to.
    ...(program === undefined ? [] : [['wechat_openid', openid?.subject ?? null] satisfies [string, string | null]]),
  ];
}

/** Ends every change of the rows of a locked user. */
export async function writeFormerColumns(userId: string, { query, write }: Transaction): Promise<void> {
  const columns = formerColumns(await identitiesOf(userId, query));
  const assignments = columns.map(([column]) => `${column} = ?`).join(', ');
  // `updated_at`: if this process dies before it deletes the copies of the user in Redis, the sweep does it.
  const statement = `UPDATE users SET updated_at = NOW(3), ${assignments} WHERE user_id = ?`;
  try {
    await write(statement, [...columns.map(([, value]) => value), userId]);
  } catch (error) {
    if (!isTaken(error)) throw error;
    // The former release has created another user with one of the values: it finds that one.
    await write(statement, [...columns.map(() => null), userId]);
  }
}
