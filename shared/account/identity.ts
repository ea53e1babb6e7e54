import { createHash } from 'node:crypto';
import { query, type Row, type SqlValue, type Transaction, withTransaction, writeRepeatably } from '../db.ts';
import { ER_DUP_ENTRY, SqlError } from '../errors.ts';
import { count, logLine } from '../telemetry.ts';
import type { WechatPerson } from '../wechat/code-session.ts';
import { defaultProgramId } from '../wechat/mini-program.ts';

/**
 * The rows of `identities`: how a user is recognised, beside the account name. Their primary key decides which of two
 * parallel calls gets a subject. Everything that changes the identities of a user locks the row of the user first.
 */
type Platform = 'wechat' | 'wechat-union' | 'channel' | 'phone';

export interface NewIdentity {
  platform: Platform;
  /** The AppID of a mini-program, the name of a channel, or ''. */
  platformApp: string;
  subject: string;
  /** Of an openid. */
  unionid?: string | null;
  /** Of a channel user. */
  address?: string;
  /** Of a phone number, for which `subject` is a keyed hash. */
  sealed?: string;
  label?: string;
}

export interface Identity extends NewIdentity {
  userId: string;
  /** RFC 3339. */
  createdAt: string;
}

/** For withTransaction(): many first logins of one person may come at once, and each waits for the others. */
export const IDENTITY_CHANGE = { lostAnswers: true, tries: 8 };

/** The statement failed because a value of a unique key exists already. */
export const isTaken = (error: unknown): boolean => error instanceof SqlError && error.errno === ER_DUP_ENTRY;

/** Throws SqlError ER_DUP_ENTRY if a subject has a row already. */
export const insertStatement = (userId: string, ...identities: readonly NewIdentity[]): [string, SqlValue[]] => [
  `INSERT INTO identities (platform, platform_app, subject, user_id, unionid, address, sealed, label)
   VALUES ${identities.map(() => '(?, ?, ?, ?, ?, ?, ?, ?)').join(', ')}`,
  identities.flatMap(
    ({ platform, platformApp, subject, unionid = null, address = null, sealed = null, label = null }) => [
      platform,
      platformApp,
      subject,
      userId,
      unionid,
      address,
      sealed,
      label,
    ],
  ),
];

export const deleteStatement = ({ platform, platformApp, subject }: NewIdentity): [string, string[]] => [
  'DELETE FROM identities WHERE platform = ? AND platform_app = ? AND subject = ?',
  [platform, platformApp, subject],
];

/** Also renews unionid and address of a row that the user has. A row of somebody else stays as it is. */
export function putStatement(userId: string, identity: NewIdentity): [string, SqlValue[]] {
  const [insert, values] = insertStatement(userId, identity);
  return [
    `${insert} ON DUPLICATE KEY UPDATE
       unionid = IF(user_id = VALUES(user_id), COALESCE(VALUES(unionid), unionid), unionid),
       address = IF(user_id = VALUES(user_id), COALESCE(VALUES(address), address), address)`,
    values,
  ];
}

/** The unionid of a user's openid belongs to another account. They are of one person, and an operator can merge them. */
export function reportUnionOf(userId: string, other: string): void {
  count('identity.unionid-of-another');
  logLine({ level: 'warning', code: 'identity.unionid-of-another', userId, other });
}

/**
 * The rows of an erased user, which the former release leaves, do not keep a subject from others. They are looked for
 * first: a DELETE that finds nothing would still lock the place of the row, against everybody who inserts it.
 */
export async function deleteRowsOfErased(wanted: readonly NewIdentity[]): Promise<void> {
  const rows = await query(
    `SELECT DISTINCT i.user_id
       FROM identities i JOIN users u ON u.user_id = i.user_id AND u.erased_at IS NOT NULL
      WHERE ${anyOf(wanted)}`,
    subjectsOf(wanted),
  );
  for (const row of rows) await writeRepeatably('DELETE FROM identities WHERE user_id = ?', [String(row.user_id)]);
}

const anyOf = (wanted: readonly NewIdentity[]): string =>
  wanted.map(() => '(i.platform = ? AND i.platform_app = ? AND i.subject = ?)').join(' OR ');
const subjectsOf = (wanted: readonly NewIdentity[]): string[] =>
  wanted.flatMap(({ platform, platformApp, subject }) => [platform, platformApp, subject]);

const COLUMNS = 'platform, platform_app, subject, user_id, unionid, address, sealed, label, created_at';

/** All rows of a user, the oldest first. `query`: of a transaction that has locked the user, where they are changed. */
const identitiesOf = (userId: string, query: Transaction['query']): Promise<Identity[]> =>
  identitiesOfAll([userId], query);

async function identitiesOfAll(userIds: readonly string[], query: Transaction['query']): Promise<Identity[]> {
  const marks = userIds.map(() => '?').join(', ');
  const sql = `SELECT ${COLUMNS} FROM identities WHERE user_id IN (${marks}) ORDER BY created_at, platform`;
  return (await query(sql, userIds)).map(identityFromRow);
}

/** The owners of these subjects, in any order. */
export async function ownersOf(wanted: readonly NewIdentity[], query: Transaction['query']): Promise<Identity[]> {
  const columns = COLUMNS.split(', ').map((column) => `i.${column}`);
  const rows = await query(
    `SELECT ${columns.join(', ')} FROM identities i JOIN users u ON u.user_id = i.user_id AND u.erased_at IS NULL
      WHERE ${anyOf(wanted)}`,
    subjectsOf(wanted),
  );
  return rows.map(identityFromRow);
}

const identityFromRow = (row: Row): Identity => ({
  platform: row.platform as Platform,
  platformApp: String(row.platform_app),
  subject: String(row.subject),
  userId: String(row.user_id),
  unionid: row.unionid as string | null,
  ...(row.address !== null && { address: String(row.address) }),
  ...(row.sealed !== null && { sealed: String(row.sealed) }),
  ...(row.label !== null && { label: String(row.label) }),
  createdAt: String(row.created_at),
});

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

export const isSame = (a: NewIdentity, b: NewIdentity): boolean =>
  a.platform === b.platform && a.platformApp === b.platformApp && a.subject === b.subject;

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

export const wechatIdentity = ({ wechatAppid, openid, unionid }: WechatPerson): NewIdentity => ({
  platform: 'wechat',
  platformApp: wechatAppid,
  subject: openid,
  unionid,
});
export const unionIdentity = (unionid: string): NewIdentity => ({
  platform: 'wechat-union',
  platformApp: '',
  subject: unionid,
});
/** A row by which this person is known, also at another mini-program. */
export function isOfPerson(row: NewIdentity, person: WechatPerson): boolean {
  const { unionid } = person;
  if (isSame(row, wechatIdentity(person))) return true;
  return (
    unionid !== null && (row.platform === 'wechat' ? row.unionid === unionid : isSame(row, unionIdentity(unionid)))
  );
}
export const channelIdentity = (user: { channel: string; channelUserId: string; address: string }): NewIdentity => ({
  platform: 'channel',
  platformApp: user.channel,
  subject: user.channelUserId,
  address: user.address,
});

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

/** The id of an identity in the API. */
export const identityId = (platform: string, platformApp: string, subject: string): string =>
  createHash('sha256').update(`${platform}\n${platformApp}\n${subject}`).digest('hex').slice(0, 24);
