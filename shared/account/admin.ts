import { query, type Row } from '../db.ts';
import { normalAccount } from './account.ts';
import { type KnownUser, readUser, readUsers } from './identified-user.ts';
import { type NewIdentity, unionIdentity } from './identity.ts';
import { ownersOf } from './identity-rows.ts';
import { type ShownIdentity, shown, shownPassword, unlink } from './own-identities.ts';
import { phoneSubjects } from './phone.ts';
import { subjectHash } from './subject-hash.ts';

/** What an operator sees of a user: only what support needs, so no profile, no password, and no number in clear. */
export interface FoundUser {
  userId: string;
  /** Login name, or the address of a channel account; null when it has neither. */
  account: string | null;
  /** `merged`: erased, and `mergedInto` has taken its place. */
  state: 'enabled' | 'disabled' | 'erased' | 'merged';
  mergedInto: string | null;
  loginBy: 'password' | 'wechat' | 'channel' | 'none';
  /** Masked. */
  phone: string | null;
  /** As many as the user sees. */
  identities: number;
  platforms: string[];
  /** RFC 3339. */
  createdAt: string;
}

const LOOK_UP = {
  user: async (userId: string) => userId,
  account: async (name: string) =>
    (await idOf('SELECT user_id FROM users WHERE account = ?', normalAccount(name))) ??
    (await idOf('SELECT user_id FROM identities WHERE address = ?', name)) ??
    (await idOf('SELECT user_id FROM users WHERE account_address = ?', name)),
  openid: async (openid: string) =>
    (await ownerOf(await openidsAt(openid))) ??
    (await idOf('SELECT user_id FROM users WHERE wechat_openid = ?', openid)),
  unionid: (unionid: string) => ownerOf([unionIdentity(unionid)]),
  /** `+` and digits. */
  phone: (number: string) => ownerOf(phoneSubjects(number)),
} satisfies Record<string, (value: string) => Promise<string | undefined>>;

export type FindBy = keyof typeof LOOK_UP;

/** Finds a user by what a user can report. null: there is no such user. Throws EngineError. */
export async function findUser(by: FindBy, value: string): Promise<FoundUser | null> {
  const userId = await LOOK_UP[by](value);
  const [user] = userId === undefined ? [] : await readUsers([userId]);
  return user ? found(user) : null;
}

async function idOf(sql: string, value: string): Promise<string | undefined> {
  const [row] = await query(sql, [value]);
  return row && String(row.user_id);
}

const ownerOf = async (subjects: readonly NewIdentity[]): Promise<string | undefined> =>
  subjects.length === 0 ? undefined : (await ownersOf(subjects, query))[0]?.userId;

/** The openid at each mini-program: their few AppIDs come from the primary key, which then finds the row. */
async function openidsAt(openid: string): Promise<NewIdentity[]> {
  const programs = await query("SELECT DISTINCT platform_app FROM identities WHERE platform = 'wechat'");
  return programs.map((row) => ({ platform: 'wechat', platformApp: String(row.platform_app), subject: openid }));
}

const MOST = 20;
/** Of one prefix: more than anybody looks through. */
const ACCOUNTS = 1_000;
/** Nicknames are members of a JSON column without an index, so each search reads the users that changed last. */
const NICKNAMES = 20_000;

/**
 * The newest users whose account name or nickname begins with `prefix`; at most 20. Account names have an index.
 * Nicknames cost NICKNAMES rows of `users`, some 100 ms, however many users there are: older ones are not found. An
 * index would have to be kept right with each login and each change of a profile, for a search that support needs
 * sometimes. Throws EngineError.
 */
export async function findUsersByText(prefix: string): Promise<FoundUser[]> {
  const like = (text: string): string => `${text.replace(/[\\%_]/g, '\\$&')}%`;
  const newest = `ORDER BY created_at DESC LIMIT ${MOST}`;
  const [byAccount, byNickname] = await Promise.all([
    query(
      `SELECT user_id FROM (SELECT user_id, created_at FROM users WHERE account LIKE ? LIMIT ${ACCOUNTS}) u ${newest}`,
      [like(normalAccount(prefix))],
    ),
    query(
      `SELECT user_id FROM
         (SELECT user_id, created_at, ${nickname('nickname')} AS a, ${nickname('nickName')} AS b
            FROM users ORDER BY updated_at DESC LIMIT ${NICKNAMES}) u
        WHERE a LIKE ? OR b LIKE ? ${newest}`,
      [like(prefix.toLowerCase()), like(prefix.toLowerCase())],
    ),
  ]);
  const idOfRow = (row: Row): string => String(row.user_id);
  const users = await readUsers([...new Set([...byAccount, ...byNickname].map(idOfRow))]);
  const byAge = users.map(found).sort((a, b) => (a.createdAt < b.createdAt ? 1 : -1));
  return byAge.slice(0, MOST);
}

const nickname = (member: string): string => `LOWER(JSON_UNQUOTE(JSON_EXTRACT(profile, '$.${member}')))`;

function found(user: KnownUser): FoundUser {
  const { userId, account, mergedInto, erased, disabled, createdAt } = user;
  const listed = listOf(user);
  const platforms = [...new Set(listed.map(({ platform }) => platform))];
  const logins = ['password', 'wechat', 'channel'] as const;
  const state = erased ? (mergedInto === null ? 'erased' : 'merged') : disabled ? 'disabled' : 'enabled';
  return {
    userId,
    account: account ?? user.identities.find(({ address }) => address !== undefined)?.address ?? null,
    state,
    mergedInto,
    loginBy: logins.find((platform) => platforms.includes(platform)) ?? 'none',
    phone: listed.find(({ platform }) => platform === 'phone')?.label ?? null,
    identities: listed.length,
    platforms,
    createdAt,
  };
}

/** An identity as its user sees it, with what support needs to compare it. */
interface KnownIdentity extends ShownIdentity {
  /** The AppID of the mini-program; null: it is of another platform. */
  wechatAppid: string | null;
  /** A keyed hash of the openid, the channel user, the number or the name. */
  subjectHash: string;
}

function listOf(user: Pick<KnownUser, 'account' | 'accountSince' | 'identities'>): KnownIdentity[] {
  const { account, accountSince, identities } = user;
  const password = { platform: 'password', platformApp: '', subject: account ?? '' };
  const name = account === null ? [] : [known(shownPassword(account, accountSince), password)];
  return [...name, ...identities.flatMap((row) => shown(row).map((one) => known(one, row)))];
}

function known(one: ShownIdentity, of: { platformApp: string; subject: string }): KnownIdentity {
  return {
    ...one,
    wechatAppid: one.platform === 'wechat' ? of.platformApp : null,
    subjectHash: subjectHash(one.platform, of.platformApp, of.subject),
  };
}

/** null: there is no such user, or it was erased. Throws EngineError. */
export async function listKnownIdentities(userId: string): Promise<KnownIdentity[] | null> {
  const user = await readUser(userId);
  return user && listOf(user);
}

/** All sessions end. Throws NOT_FOUND (there is no such user or identity), LAST_IDENTITY, EngineError. */
export const unlinkByOperator = (userId: string, id: string, actor: string): Promise<void> =>
  unlink(userId, id, { actor });
