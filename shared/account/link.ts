import { writeStrict } from '../cache/write.ts';
import { hasRecords } from '../data/records-of-user.ts';
import { query, type Transaction, withTransaction } from '../db.ts';
import { AppError } from '../errors.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { hasMoneyHistory } from '../recharge/money.ts';
import { userVersionKey } from '../swept-keys.ts';
import { count } from '../telemetry.ts';
import type { WechatPerson } from '../wechat/code-session.ts';
import { revokeAllPluginTokens } from './change.ts';
import { ERASE } from './erase-statement.ts';
import {
  deleteRowsOfErased,
  deleteStatement,
  IDENTITY_CHANGE,
  type IdentifiedUser,
  type Identity,
  insertStatement,
  isSame,
  isTaken,
  lockUsers,
  type NewIdentity,
  ownersOf,
  unionIdentity,
  wechatIdentity,
  writeFormerColumns,
} from './identity.ts';
import type { Phone } from './phone.ts';

/**
 * Adds an identity to a user. If it belongs to an account that has nothing else, that account is absorbed: its
 * identities move to the user, and it ends. Otherwise the link is refused.
 */
interface Wanted {
  /** What the user shall have. The first one decides whose it is, the others only if nobody has the first. */
  rows: readonly NewIdentity[];
  /** Other subjects under which the first one may be stored. */
  aliases?: readonly NewIdentity[];
  /** Whether a row is the same person as the first one. */
  isSamePerson(row: Identity): boolean;
  /** The user gives up these rows for it. */
  replaces?(row: Identity): boolean;
}

/** Throws IDENTITY_TAKEN, SESSION_REVOKED, EngineError. */
export function linkWechat(userId: string, person: WechatPerson): Promise<Identity> {
  const own = wechatIdentity(person);
  const { unionid } = person;
  const union = unionid === null ? [] : [unionIdentity(unionid)];
  const isSamePerson = (row: Identity): boolean =>
    [own, ...union].some((identity) => isSame(identity, row)) ||
    (row.platform === 'wechat' && unionid !== null && row.unionid === unionid);
  return link(userId, { rows: [own, ...union], isSamePerson });
}

/** A user has one phone number: the new one takes the place of the former. Throws what linkWechat() throws. */
export const linkPhone = (userId: string, { identity, aliases }: Phone): Promise<Identity> =>
  link(userId, {
    rows: [identity],
    aliases,
    isSamePerson: ({ platform }) => platform === 'phone',
    replaces: ({ platform }) => platform === 'phone',
  });

const TRIES = 5;

/** The owner is looked up first and locked then. It has changed in between, so all is done once more. */
class OwnerMoved extends Error {
  override readonly name = 'OwnerMoved';
}

async function link(userId: string, wanted: Wanted): Promise<Identity> {
  for (let attempt = 1; ; attempt++) {
    const owner = await otherOwner(userId, wanted, query);
    try {
      return await linkOnce(userId, owner, wanted);
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

async function linkOnce(userId: string, owner: string | undefined, wanted: Wanted): Promise<Identity> {
  const users = owner === undefined ? [userId] : [userId, owner];
  const statements = async (transaction: Transaction): Promise<Identity> => {
    const locked = await lockUsers(users, transaction);
    const user = locked.get(userId);
    if (!user) throw new AppError('SESSION_REVOKED');
    if ((await otherOwner(userId, wanted, transaction.query)) !== owner) throw new OwnerMoved();
    if (owner !== undefined) await absorb(locked.get(owner) ?? null, userId, wanted, transaction);
    return addRows(user, wanted, transaction);
  };
  const linked = await writeStrict(
    users.map((user) => userVersionKey(user)),
    () => withTransaction(statements, IDENTITY_CHANGE),
  );
  if (owner !== undefined) await revokeAllPluginTokens(owner);
  return linked;
}

/** Throws IDENTITY_TAKEN unless the owner has nothing but this identity. */
async function absorb(
  owner: IdentifiedUser | null,
  userId: string,
  { isSamePerson }: Wanted,
  { query, write }: Transaction,
): Promise<void> {
  if (!owner) throw new OwnerMoved();
  // An account that an operator has disabled must not come back under another id.
  const hasMore = owner.disabled || owner.account !== null || !owner.identities.every(isSamePerson);
  if (hasMore || (await hasMoneyHistory(owner.userId, query)) || (await hasRecords(owner.userId, query)))
    throw new AppError('IDENTITY_TAKEN');
  await write('UPDATE identities SET user_id = ? WHERE user_id = ?', [userId, owner.userId]);
  await write(ERASE, [owner.userId]);
  await write('UPDATE users SET merged_into = ? WHERE user_id = ?', [userId, owner.userId]);
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
  for (const row of wanted.rows) {
    const holder = known.find((identity) => isSame(identity, row));
    // The unionid of the user's own openid belongs to another account: an operator can merge them.
    if (holder && holder.userId !== userId) count('identity.unionid-of-another');
    if (holder) continue;
    await write(...insertStatement(userId, row));
  }
  await writeFormerColumns(userId, transaction);
  const [linked] = await ownersOf([first], query);
  return linked as Identity;
}
