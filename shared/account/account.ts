import { publicFields, schemaOf, type UserFieldsSchema } from '../app/user-fields.ts';
import { query, type Row, type SqlValue, writeRepeatably } from '../db.ts';
import { AppError, EngineError, ER_DUP_ENTRY, SqlError } from '../errors.ts';
import type { LiveSession } from '../session/devices.ts';
import { asObject } from '../session/session.ts';
import { newUserId } from '../session/token.ts';
import { notReserved } from './reserved-names.ts';

/**
 * Accounts belong to the deployment; sessions and extra fields belong to an app and a user. One row is one account,
 * whatever the way of login. Unique keys in MySQL decide which of two parallel calls creates it.
 */
type Identity =
  /** The login name in its normal form. */
  | { by: 'account'; account: string }
  | { by: 'wechat'; openid: string }
  | { by: 'channel'; channel: string; channelUserId: string; address: string }
  | { by: 'address'; address: string };

/** An account with the data that a login needs, and with its live sessions at the calling app. */
export interface LoginAccount {
  userId: string;
  /** Login name, or the address of a channel account; null when it has neither (WeChat). */
  account: string | null;
  profile: Record<string, unknown>;
  fields: Record<string, unknown>;
  fieldsSchema: UserFieldsSchema | null;
  /** PHC string; null: it has no password. */
  passwordHash: string | null;
  version: number;
  disabled: boolean;
  live: LiveSession[];
}

/** Login names are stored and compared in this form: upper and lower case are equal. */
export const normalAccount = (account: string): string => account.toLowerCase();

function whereOf(identity: Identity): [column: string, value: string] {
  switch (identity.by) {
    case 'account':
      return ['u.account', identity.account];
    case 'wechat':
      return ['u.wechat_openid', identity.openid];
    case 'channel':
    case 'address':
      return ['u.account_address', identity.address];
  }
}

/** null: there is no such account. One statement. Throws EngineError. */
export async function findAccount(identity: Identity, appId: string): Promise<LoginAccount | null> {
  const [column, value] = whereOf(identity);
  const rows = await query(
    `SELECT u.user_id, u.account, u.account_address, u.password_hash, u.profile, u.version, u.disabled_at,
            f.fields, a.user_fields, s.session_id, s.last_seen_at
       FROM users u
       LEFT JOIN apps a ON a.app_id = ?
       LEFT JOIN user_fields f ON f.app_id = a.app_id AND f.user_id = u.user_id
       LEFT JOIN sessions s ON s.app_id = a.app_id AND s.user_id = u.user_id AND s.user_version = u.version
         AND s.ended_at IS NULL AND s.idle_until > NOW(3) AND s.ends_at > NOW(3)
      WHERE ${column} = ?`,
    [appId, value],
  );
  const [first] = rows;
  return first ? accountOf(first, rows) : null;
}

function accountOf(first: Row, rows: Row[]): LoginAccount {
  return {
    userId: String(first.user_id),
    account: (first.account ?? first.account_address ?? null) as string | null,
    profile: asObject(first.profile),
    fields: asObject(first.fields),
    fieldsSchema: schemaOf(first.user_fields),
    passwordHash: first.password_hash as string | null,
    version: Number(first.version),
    disabled: first.disabled_at !== null,
    live: rows
      .filter((row) => row.session_id !== null)
      .map((row) => ({ sessionId: String(row.session_id), lastSeenAt: String(row.last_seen_at) })),
  };
}

/** A user as answers show it. `fields` is there only if the app registered fields. */
export function publicUser(
  user: {
    readonly userId: string;
    readonly account: string | null;
    readonly profile: Readonly<Record<string, unknown>>;
    readonly fields: Readonly<Record<string, unknown>>;
  },
  schema: UserFieldsSchema | null,
) {
  const fields = publicFields(schema, user.fields);
  return { userId: user.userId, account: user.account, profile: user.profile, ...(fields && { fields }) };
}

/** `account`: in its normal form. Returns the id of the new user. Throws ACCOUNT_EXISTS, EngineError. */
export async function createAccount(
  account: string,
  passwordHash: string,
  profile: Record<string, unknown>,
): Promise<string> {
  const userId = newUserId();
  const columns = ['account', 'password_hash'];
  const created = await insertUser(userId, columns, [account, passwordHash], profile, notReserved(account));
  // The name is reserved, or taken. A statement that was repeated after a lost answer finds its own row: then the id is
  // ours.
  if (!created) {
    const [row] = await query('SELECT user_id FROM users WHERE account = ?', [account]);
    if (row?.user_id !== userId) throw new AppError('ACCOUNT_EXISTS');
  }
  return userId;
}

/**
 * The account of an identity that WeChat or a channel has confirmed. It is created if there is none; `created` is true
 * only in the call that created it. Throws EngineError.
 */
export async function findOrCreateAccount(
  identity: Extract<Identity, { by: 'wechat' | 'channel' }>,
  appId: string,
): Promise<{ account: LoginAccount; created: boolean }> {
  const known = await findAccount(identity, appId);
  if (known) return { account: known, created: false };
  const userId = newUserId();
  if (identity.by === 'wechat') await insertUser(userId, ['wechat_openid'], [identity.openid], {});
  else {
    const { channel, channelUserId, address } = identity;
    const columns = ['channel', 'channel_user_id', 'account_address'];
    const inserted = await insertUser(userId, columns, [channel, channelUserId, address], {});
    if (!inserted) await renewAddress(identity);
  }
  const account = await findAccount(identity, appId);
  // Another call created it, and it was erased since. The next attempt creates a new account.
  if (!account) throw new EngineError('mysql', 'the account was erased meanwhile', 'not-applied');
  return { account, created: account.userId === userId };
}

/** After SERVER_KEY was changed a channel user has a new address: it replaces the old one in the same account. */
async function renewAddress(user: Extract<Identity, { by: 'channel' }>): Promise<void> {
  await writeRepeatably('UPDATE users SET account_address = ? WHERE channel = ? AND channel_user_id = ?', [
    user.address,
    user.channel,
    user.channelUserId,
  ]);
}

/** false: another row has one of the unique values, or the condition does not hold. */
async function insertUser(
  userId: string,
  columns: string[],
  values: SqlValue[],
  profile: Record<string, unknown>,
  [condition, conditionValues]: [string, SqlValue[]] = ['TRUE', []],
) {
  try {
    const { rowsAffected } = await writeRepeatably(
      `INSERT INTO users (user_id, profile, ${columns.join(', ')})
       SELECT ?, ?${', ?'.repeat(columns.length)} FROM DUAL WHERE ${condition}`,
      [userId, JSON.stringify(profile), ...values, ...conditionValues],
    );
    return rowsAffected > 0;
  } catch (error) {
    if (error instanceof SqlError && error.errno === ER_DUP_ENTRY) return false;
    throw error;
  }
}
