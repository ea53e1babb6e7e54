import { publicFields, schemaOf, type UserFieldsSchema } from '../app/user-fields.ts';
import { ignoreEngine } from '../cache/write.ts';
import { query, type Row, type SqlValue, writeRepeatably } from '../db.ts';
import { AppError, EngineError, ER_DUP_ENTRY, SqlError } from '../errors.ts';
import { revokePluginTokens } from '../plugin/plugin.ts';
import { type LiveSession, openSession } from '../session/devices.ts';
import { asObject } from '../session/session.ts';
import { newUserId } from '../session/token.ts';

/**
 * Accounts belong to the deployment; sessions and extra fields to (app, user). One row is one account, however its user
 * logs in, and unique keys alone decide who was first.
 */
type Identity =
  /** The login name in its normal form. */
  | { by: 'account'; account: string }
  | { by: 'wechat'; openid: string }
  | { by: 'channel'; channel: string; channelUserId: string; address: string }
  | { by: 'address'; address: string };

/** An account as a login finds it, with its live sessions at the app that asks. */
interface LoginAccount {
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

/** The one form in which a login name is kept and compared: case does not count. */
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

/** One statement. null: there is no such account. */
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

/** A user as answers show it; `fields` only where the app registered some. */
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

/** Opens a session for an account that has proven itself. Throws BAD_CREDENTIALS for a disabled one. */
export async function logIn(account: LoginAccount, appId: string, device: string) {
  if (account.disabled) throw new AppError('BAD_CREDENTIALS');
  const { token, expiresAt, pushedOut } = await openSession(appId, account, device, account.live);
  if (pushedOut.length > 0) await revokePluginTokens(appId, account.userId, pushedOut);
  return { token, expiresAt, user: publicUser(account, account.fieldsSchema) };
}

/** `account`: in its normal form. Gives the new user's id. Throws ACCOUNT_EXISTS. */
export async function createAccount(
  account: string,
  passwordHash: string,
  profile: Record<string, unknown>,
): Promise<string> {
  const userId = newUserId();
  const created = await insertUser(userId, ['account', 'password_hash'], [account, passwordHash], profile);
  // A statement that was repeated after a lost answer meets its own row: the id tells whose it is.
  if (!created) {
    const [row] = await query('SELECT user_id FROM users WHERE account = ?', [account]);
    if (row?.user_id !== userId) throw new AppError('ACCOUNT_EXISTS');
  }
  return userId;
}

/** The account of an identity that another server vouched for. `created`: it is this call that made it. */
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
  // Made by another call and erased since: whoever tries again gets an account.
  if (!account) throw new EngineError('mysql', 'the account is gone', 'not-applied');
  return { account, created: account.userId === userId };
}

/** An address made under a former SERVER_KEY gives way to the one of today: the account stays who it was. */
async function renewAddress(user: Extract<Identity, { by: 'channel' }>): Promise<void> {
  await writeRepeatably('UPDATE users SET account_address = ? WHERE channel = ? AND channel_user_id = ?', [
    user.address,
    user.channel,
    user.channelUserId,
  ]);
}

/** false: a unique key is taken. */
async function insertUser(userId: string, columns: string[], values: SqlValue[], profile: Record<string, unknown>) {
  try {
    await writeRepeatably(
      `INSERT INTO users (user_id, profile, ${columns.join(', ')}) VALUES (?, ?${', ?'.repeat(columns.length)})`,
      [userId, JSON.stringify(profile), ...values],
    );
    return true;
  } catch (error) {
    if (error instanceof SqlError && error.errno === ER_DUP_ENTRY) return false;
    throw error;
  }
}

/** After a login whose hash was made with former parameters. Lost is harmless: the next login renews it. */
export async function renewPasswordHash(userId: string, former: string, renewed: string): Promise<void> {
  await writeRepeatably('UPDATE users SET password_hash = ? WHERE user_id = ? AND password_hash = ?', [
    renewed,
    userId,
    former,
  ]).catch(ignoreEngine);
}
