import { writeStrict } from '../cache/write.ts';
import { hasRecords } from '../data/records-of-user.ts';
import { query, type Transaction, withTransaction } from '../db.ts';
import { AppError, EngineError } from '../errors.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { hasMoneyHistory } from '../recharge/money.ts';
import { userVersionKey } from '../swept-keys.ts';
import { endUploadsOf } from '../uploads/lives.ts';
import type { WechatPerson } from '../wechat/code-session.ts';
import { revokeAllPluginTokens } from './change.ts';
import { ERASE, endInto } from './erase-statement.ts';
import { adoptOpenid, type IdentifiedUser, lockUsers, writeFormerColumns } from './identified-user.ts';
import { type Identity, isOfPerson, isSame, type NewIdentity, unionIdentity, wechatIdentity } from './identity.ts';
import {
  deleteRowsOfErased,
  deleteStatement,
  IDENTITY_CHANGE,
  isTaken,
  ownersOf,
  putStatement,
  reportUnionOf,
} from './identity-rows.ts';
import { checkAlive, type OwnSession } from './own-session.ts';
import type { Phone } from './phone.ts';

/**
 * Adds an identity to a user. If it belongs to an account that has nothing else, that account is absorbed: its
 * identities move to the user, and it ends. Otherwise the link is refused.
 */
interface Wanted {
  /** What the user gets. The owner of the first one is the owner of all; if nobody has the first, the others decide. */
  rows: readonly NewIdentity[];
  /** Other subjects under which the first one may be stored. */
  aliases?: readonly NewIdentity[];
  /** Whether a row is the same person as the first one. */
  isSamePerson(row: Identity): boolean;
  /** The user gives up these rows for it. */
  replaces?(row: Identity): boolean;
}

/** Who gets the identity. It is checked under the lock that this is still so. */
type Caller =
  /** The user of a session. */
  | OwnSession
  /** The user that a person logs in as. */
  | { userId: string; person: WechatPerson };

async function checkCaller(user: IdentifiedUser, caller: Caller, query: Transaction['query']): Promise<void> {
  if ('sessionId' in caller) await checkAlive(user, caller, query);
  else if (!user.identities.some((row) => isOfPerson(row, caller.person)))
    throw new EngineError('mysql', 'the identity was removed meanwhile', 'not-applied');
}

/** Throws IDENTITY_TAKEN, SESSION_REVOKED, EngineError. */
export async function linkWechat(user: Caller, person: WechatPerson): Promise<Identity> {
  const own = wechatIdentity(person);
  const { unionid } = person;
  const union = unionid === null ? [] : [unionIdentity(unionid)];
  const isSamePerson = (row: Identity): boolean => isOfPerson(row, person);
  await adoptOpenid(own);
  return link(user, { rows: [own, ...union], isSamePerson });
}

/** A user has one phone number: the new one takes the place of the former. Throws what linkWechat() throws. */
export const linkPhone = (user: Caller, { identity, aliases }: Phone): Promise<Identity> =>
  link(user, {
    rows: [identity],
    aliases,
    isSamePerson: ({ platform }) => platform === 'phone',
    replaces: ({ platform }) => platform === 'phone',
  });

const TRIES = 5;

/** The owner is looked up first and locked after that. It changed in between, so everything is done again. */
class OwnerMoved extends Error {
  override readonly name = 'OwnerMoved';
}

async function link(caller: Caller, wanted: Wanted): Promise<Identity> {
  const owners = new Set<string>();
  for (let attempt = 1; ; attempt++) {
    const owner = await otherOwner(caller.userId, wanted, query);
    if (owner !== undefined) owners.add(owner);
    try {
      const linked = await linkOnce(caller, owner, wanted);
      // Also those that an earlier attempt has absorbed, whose answer was lost.
      for (const userId of owners) if (await isErased(userId)) await revokeAllPluginTokens(userId);
      return linked;
    } catch (error) {
      if (!(error instanceof OwnerMoved || isTaken(error))) throw error;
      if (attempt === TRIES) throw new AppError('IDENTITY_TAKEN');
      await deleteRowsOfErased(wanted.rows);
    }
  }
}

/** The other user to whom the identity belongs; undefined: nobody else. */
async function otherOwner(
  userId: string,
  { rows, aliases = [] }: Wanted,
  ask: Transaction['query'],
): Promise<string | undefined> {
  const [first, ...others] = rows as [NewIdentity, ...NewIdentity[]];
  const known = await ownersOf([...rows, ...aliases], ask);
  const owner = known.find((row) => [first, ...aliases].some((identity) => isSame(identity, row)));
  const byOther = known.find((row) => others.some((identity) => isSame(identity, row)));
  const found = (owner ?? byOther)?.userId;
  return found === userId ? undefined : found;
}

async function isErased(userId: string): Promise<boolean> {
  return (await query('SELECT 1 FROM users WHERE user_id = ? AND erased_at IS NOT NULL', [userId])).length > 0;
}

function linkOnce(caller: Caller, owner: string | undefined, wanted: Wanted): Promise<Identity> {
  const { userId } = caller;
  const users = owner === undefined ? [userId] : [userId, owner];
  const statements = async (transaction: Transaction): Promise<Identity> => {
    const locked = await lockUsers(users, transaction);
    const user = locked.get(userId);
    if (!user) throw new AppError('SESSION_REVOKED');
    await checkCaller(user, caller, transaction.query);
    if ((await otherOwner(userId, wanted, transaction.query)) !== owner) throw new OwnerMoved();
    if (owner !== undefined) await absorb(locked.get(owner) ?? null, userId, wanted, transaction);
    return addRows(user, wanted, transaction);
  };
  return writeStrict(
    users.map((user) => userVersionKey(user)),
    () => withTransaction(statements, IDENTITY_CHANGE),
  );
}

/** Throws IDENTITY_TAKEN if the owner has more than this identity: another identity, money, or any record it owns. */
async function absorb(
  owner: IdentifiedUser | null,
  userId: string,
  { isSamePerson }: Wanted,
  transaction: Transaction,
): Promise<void> {
  const { query, write } = transaction;
  if (!owner) throw new OwnerMoved();
  // An account that an operator has disabled must not come back under another id.
  const hasMore = owner.disabled || owner.account !== null || !owner.identities.every(isSamePerson);
  if (hasMore || (await hasMoneyHistory(owner.userId, query)) || (await hasRecords(owner.userId, query)))
    throw new AppError('IDENTITY_TAKEN');
  await write('UPDATE identities SET user_id = ? WHERE user_id = ?', [userId, owner.userId]);
  await endUploadsOf(owner.userId, [], transaction);
  await write(ERASE, [owner.userId]);
  await endInto(owner.userId, userId, write);
  const detail = { absorbed: owner.userId };
  await write(...operatorLogStatement({ actor: 'user', action: 'user.absorb', subject: userId, detail }));
}

async function addRows(user: IdentifiedUser, wanted: Wanted, transaction: Transaction): Promise<Identity> {
  const { query, write } = transaction;
  const { userId } = user;
  const [first] = wanted.rows as [NewIdentity];
  for (const row of user.identities) {
    const isReplaced = wanted.replaces?.(row) && !isSame(row, first);
    if (isReplaced) await write(...deleteStatement(row));
  }
  const known = await ownersOf(wanted.rows, query);
  const others = known.filter((identity) => identity.userId !== userId);
  for (const { userId: other } of others) reportUnionOf(userId, other);
  for (const row of wanted.rows) {
    if (others.some((identity) => isSame(identity, row))) continue;
    await write(...putStatement(userId, others.length > 0 ? { ...row, unionid: null } : row));
  }
  await writeFormerColumns(userId, transaction);
  const [linked] = await ownersOf([first], query);
  return linked as Identity;
}
