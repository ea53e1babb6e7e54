import { publicFields, schemaOf, type UserFieldsSchema } from '../app/user-fields.ts';
import { query, type Row, type SqlValue, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import type { LiveSession } from '../session/devices.ts';
import { asObject, maskedPhoneOf } from '../session/session.ts';
import { newUserId } from '../session/token.ts';
import type { WechatPerson } from '../wechat/code-session.ts';
import { defaultProgramId } from '../wechat/mini-program.ts';
import { isTaken } from './identity-rows.ts';
import { notReserved } from './reserved-names.ts';

/**
 * Accounts belong to the deployment; sessions and extra fields belong to an app and a user. An account name and its
 * password are columns of the user; all other ways to recognise a user are rows of `identities` (see identity.ts).
 */
type AccountKey =
  /** The login name in its normal form. */
  | { by: 'account'; account: string }
  | { by: 'wechat'; person: WechatPerson }
  | { by: 'channel'; channel: string; channelUserId: string }
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
  /** The phone number, masked. */
  phone: string | null;
  /** How it was found; undefined: by its account name. */
  foundBy?: FoundBy;
}

/** What of the key belongs to the account already. All other columns of the former release count as nothing here. */
export interface FoundBy {
  /** There is a row for the openid, or for the channel user. */
  identity: boolean;
  /** The owner of the unionid; null: nobody. */
  unionOwner: string | null;
  /** The unionid that is stored with the openid. */
  unionid: string | null;
  address: string | null;
}

/** Login names are stored and compared in this form: upper and lower case are equal. */
export const normalAccount = (account: string): string => account.toLowerCase();

/**
 * Joins that end in the user `u`. A row of an erased user counts as none: the former release leaves them. `o` is the
 * identity, `w` the user by the columns of the former release, `n` the owner of the unionid. Each is found by a key.
 */
const JOINED = (identity: string, column: string): string => `
  (SELECT 1 AS one) one
  LEFT JOIN identities o ON ${identity}
  LEFT JOIN users ou ON ou.user_id = o.user_id AND ou.erased_at IS NULL
  LEFT JOIN users w ON ${column}
  LEFT JOIN identities p ON p.platform = 'wechat-union' AND p.platform_app = '' AND p.subject = ?
  LEFT JOIN users n ON n.user_id = p.user_id AND n.erased_at IS NULL
  JOIN users u ON u.user_id = COALESCE(ou.user_id, w.user_id, n.user_id)`;
const FOUND_BY =
  'ou.user_id AS by_identity, n.user_id AS union_owner, o.unionid AS known_unionid, o.address AS known_address,';

function sourceOf(key: AccountKey): [from: string, found: string, values: SqlValue[]] {
  switch (key.by) {
    case 'account':
      return ['users u', '', []];
    case 'wechat': {
      const { wechatAppid, openid, unionid } = key.person;
      const from = JOINED("o.platform = 'wechat' AND o.platform_app = ? AND o.subject = ?", 'w.wechat_openid = ?');
      return [from, FOUND_BY, [wechatAppid, openid, wechatAppid === defaultProgramId() ? openid : null, unionid]];
    }
    case 'channel': {
      const { channel, channelUserId } = key;
      const from = JOINED(
        "o.platform = 'channel' AND o.platform_app = ? AND o.subject = ?",
        'w.channel = ? AND w.channel_user_id = ?',
      );
      return [from, FOUND_BY, [channel, channelUserId, channel, channelUserId, null]];
    }
    case 'address':
      return [JOINED('o.address = ?', 'w.account_address = ?'), FOUND_BY, [key.address, key.address, null]];
  }
}

/** null: there is no such account. One statement. Throws EngineError. */
export async function findAccount(key: AccountKey, appId: string): Promise<LoginAccount | null> {
  const [from, found, values] = sourceOf(key);
  const rows = await query(
    `SELECT ${found} u.user_id, u.account, u.account_address, u.password_hash, u.profile, u.version, u.disabled_at,
            ${maskedPhoneOf('u.user_id')} AS phone, f.fields, a.user_fields, s.session_id, s.last_seen_at
       FROM ${from}
       LEFT JOIN apps a ON a.app_id = ?
       LEFT JOIN user_fields f ON f.app_id = a.app_id AND f.user_id = u.user_id
       LEFT JOIN sessions s ON s.app_id = a.app_id AND s.user_id = u.user_id AND s.user_version = u.version
         AND s.ended_at IS NULL AND s.idle_until > NOW(3) AND s.ends_at > NOW(3)
      ${key.by === 'account' ? 'WHERE u.account = ?' : ''}`,
    [...values, appId, ...(key.by === 'account' ? [key.account] : [])],
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
    phone: first.phone as string | null,
    ...('by_identity' in first && { foundBy: foundByOf(first) }),
  };
}

const foundByOf = (row: Row): FoundBy => ({
  identity: row.by_identity !== null,
  unionOwner: row.union_owner as string | null,
  unionid: row.known_unionid as string | null,
  address: row.known_address as string | null,
});

/** A user as answers show it. `fields` is there only if the app registered fields. */
export function publicUser(
  user: {
    readonly userId: string;
    readonly account: string | null;
    /** Masked. */
    readonly phone: string | null;
    readonly profile: Readonly<Record<string, unknown>>;
    readonly fields: Readonly<Record<string, unknown>>;
  },
  schema: UserFieldsSchema | null,
) {
  const fields = publicFields(schema, user.fields);
  const { userId, account, phone, profile } = user;
  return { userId, account, phone, profile, ...(fields && { fields }) };
}

/** `account`: in its normal form. Returns the id of the new user. Throws ACCOUNT_EXISTS, EngineError. */
export async function createAccount(
  account: string,
  passwordHash: string,
  profile: Record<string, unknown>,
): Promise<string> {
  const userId = newUserId();
  const created = await insertNamed(userId, account, passwordHash, profile);
  // The name is reserved, or taken. A statement that was repeated after a lost answer finds its own row: then the id is
  // ours.
  if (!created) {
    const [row] = await query('SELECT user_id FROM users WHERE account = ?', [account]);
    if (row?.user_id !== userId) throw new AppError('ACCOUNT_EXISTS');
  }
  return userId;
}

/** false: the name is taken or reserved. */
async function insertNamed(userId: string, account: string, passwordHash: string, profile: Record<string, unknown>) {
  const [condition, reserved] = notReserved(account);
  try {
    const { rowsAffected } = await writeRepeatably(
      `INSERT INTO users (user_id, profile, account, password_hash) SELECT ?, ?, ?, ? FROM DUAL WHERE ${condition}`,
      [userId, JSON.stringify(profile), account, passwordHash, ...reserved],
    );
    return rowsAffected > 0;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}
