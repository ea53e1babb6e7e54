import { writeStrict } from '../cache/write.ts';
import { type Transaction, withTransaction } from '../db.ts';
import { AppError } from '../errors.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { sessionKey, userVersionKey } from '../swept-keys.ts';
import { revokeAllPluginTokens } from './change.ts';
import { type IdentifiedUser, lockUser, readUser, writeFormerColumns } from './identified-user.ts';
import { type Identity, identityId } from './identity.ts';
import { deleteStatement, IDENTITY_CHANGE } from './identity-rows.ts';
import { checkAlive, type OwnSession } from './own-session.ts';
import { reserveAccount } from './reserved-names.ts';
import { subjectHash } from './subject-hash.ts';

/** The identities of a user as the user sees them: with masked labels, and without unionids. */
export interface ShownIdentity {
  id: string;
  platform: 'password' | 'wechat' | 'phone' | 'channel';
  /** Enough to tell identities apart, too little to use one. */
  label: string;
  /** RFC 3339. */
  createdAt: string;
}

export function shown({ platform, platformApp, subject, label, createdAt }: Identity): ShownIdentity[] {
  const id = identityId(platform, platformApp, subject);
  switch (platform) {
    case 'wechat-union':
      return [];
    case 'wechat':
      return [{ id, platform, label: `${platformApp} ${tail(subject)}`, createdAt }];
    case 'channel':
      return [{ id, platform, label: `${platformApp} ${tail(subject)}`, createdAt }];
    case 'phone':
      return [{ id, platform, label: label ?? '', createdAt }];
  }
}

const tail = (subject: string): string => `****${subject.slice(subject.length > 8 ? -4 : -1)}`;

export const shownPassword = (account: string, createdAt: string): ShownIdentity => ({
  id: identityId('password', '', account),
  platform: 'password',
  label: `${account.slice(0, account.length > 4 ? 2 : 1)}****`,
  createdAt,
});

const shownOf = ({ account, accountSince, identities }: IdentifiedUser): ShownIdentity[] => [
  ...(account === null ? [] : [shownPassword(account, accountSince)]),
  ...identities.flatMap(shown),
];

/** Throws EngineError. */
export async function listIdentities(userId: string): Promise<ShownIdentity[]> {
  const user = await readUser(userId);
  return user ? shownOf(user) : [];
}

const isLogin = ({ platform }: { platform: string }): boolean => platform === 'wechat' || platform === 'channel';

/** The user, whose calling session stays, or an operator. */
type Remover = OwnSession | { actor: string };

/**
 * Removes an identity. A WeChat identity with a unionid goes at all mini-programs: with one of them left, the next login
 * there would link the others again. After a way to log in was removed, all other sessions of the user end; an
 * operator ends all of them. Throws NOT_FOUND, LAST_IDENTITY, SESSION_REVOKED, EngineError.
 */
export async function unlink(userId: string, id: string, by: Remover): Promise<void> {
  const session = 'sessionId' in by ? by : undefined;
  let mayBeApplied = false;
  let wasLogin = false;
  const statements = async (transaction: Transaction): Promise<void> => {
    const user = await lockUser(userId, transaction);
    if (!user) throw new AppError(session ? 'SESSION_REVOKED' : 'NOT_FOUND');
    if (!shownOf(user).some((identity) => identity.id === id)) {
      // A lost answer to COMMIT: the repeated transaction finds that it has removed the identity already.
      if (mayBeApplied) return;
      throw new AppError('NOT_FOUND');
    }
    if (session) await checkAlive(user, session, transaction.query);
    const { removesAccount, rows } = toRemove(user, id);
    wasLogin = removesAccount || rows.some(isLogin);
    checkNotLast(user, removesAccount, rows);
    mayBeApplied = true;
    if (removesAccount) await removeAccount(user, transaction);
    for (const row of rows) await transaction.write(...deleteStatement(row));
    await writeFormerColumns(userId, transaction);
    if (wasLogin) await endOtherSessions(user, session, transaction);
    await transaction.write(...logStatement(user, removesAccount, rows, 'actor' in by ? by.actor : 'user'));
  };
  const keys = [userVersionKey(userId), ...(session ? [sessionKey(session.appId, userId, session.sessionId)] : [])];
  await writeStrict(keys, () => withTransaction(statements, IDENTITY_CHANGE));
  if (wasLogin) await revokeAllPluginTokens(userId);
}

/** What unlink() would remove, and whether sessions end. Throws NOT_FOUND, LAST_IDENTITY, EngineError. */
export async function whatUnlinkRemoves(
  userId: string,
  id: string,
): Promise<{ removed: ShownIdentity[]; endsSessions: boolean }> {
  const user = await readUser(userId);
  if (!user || !shownOf(user).some((identity) => identity.id === id)) throw new AppError('NOT_FOUND');
  const { removesAccount, rows } = toRemove(user, id);
  checkNotLast(user, removesAccount, rows);
  const removed = shownOf({ ...user, account: removesAccount ? user.account : null, identities: rows });
  return { removed, endsSessions: removesAccount || rows.some(isLogin) };
}

function toRemove({ account, accountSince, identities }: IdentifiedUser, id: string) {
  const removesAccount = account !== null && shownPassword(account, accountSince).id === id;
  const chosen = identities.find((row) => identityId(row.platform, row.platformApp, row.subject) === id);
  const isGone = (row: Identity): boolean =>
    row === chosen || (chosen?.platform === 'wechat' && Boolean(chosen.unionid) && row.unionid === chosen.unionid);
  const left = identities.filter((row) => row.platform === 'wechat' && !isGone(row));
  // A unionid without an openid would still let the person in.
  const rows = identities.filter(
    (row) =>
      isGone(row) ||
      (row.platform === 'wechat-union' &&
        chosen?.platform === 'wechat' &&
        (row.subject === chosen.unionid || left.length === 0)),
  );
  return { removesAccount, rows };
}

function checkNotLast(
  { account, identities }: IdentifiedUser,
  removesAccount: boolean,
  rows: readonly Identity[],
): void {
  const removesLogin = removesAccount || rows.some(isLogin);
  const stays = (account !== null && !removesAccount) || identities.some((row) => isLogin(row) && !rows.includes(row));
  if (removesLogin && !stays) throw new AppError('LAST_IDENTITY');
}

/** Nobody can register the name for a time. */
async function removeAccount({ userId, account }: IdentifiedUser, { write }: Transaction): Promise<void> {
  if (account !== null) await reserveAccount(account, write);
  await write('UPDATE users SET account = NULL, password_hash = NULL, account_since = NULL WHERE user_id = ?', [
    userId,
  ]);
  await write('DELETE FROM password_resets WHERE user_id = ?', [userId]);
}

/** Raises the version of the user, and also that of the session that continues. */
async function endOtherSessions(
  { userId, version }: IdentifiedUser,
  session: OwnSession | undefined,
  { write }: Transaction,
): Promise<void> {
  await write('UPDATE users SET version = ? WHERE user_id = ?', [version + 1, userId]);
  if (!session) return;
  await write('UPDATE sessions SET user_version = ? WHERE app_id = ? AND user_id = ? AND session_id = ?', [
    version + 1,
    session.appId,
    userId,
    session.sessionId,
  ]);
}

function logStatement(
  { userId, account }: IdentifiedUser,
  removesAccount: boolean,
  rows: readonly Identity[],
  actor: string,
) {
  const [first] = rows.filter(({ platform }) => platform !== 'wechat-union');
  const { platform, platformApp, subject } =
    removesAccount || !first ? { platform: 'password', platformApp: '', subject: account ?? '' } : first;
  const detail = { platform, subjectHash: subjectHash(platform, platformApp, subject) };
  return operatorLogStatement({ actor, action: 'user.unlink', subject: userId, detail });
}
