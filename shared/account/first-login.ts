import { type Transaction, withTransaction } from '../db.ts';
import { EngineError } from '../errors.ts';
import { newUserId } from '../session/token.ts';
import type { WechatPerson } from '../wechat/code-session.ts';
import { type FoundBy, findAccount, type LoginAccount } from './account.ts';
import { formerColumns, lockUser, writeFormerColumns } from './identified-user.ts';
import {
  channelIdentity,
  type Identity,
  isOfPerson,
  isSame,
  type NewIdentity,
  unionIdentity,
  wechatIdentity,
} from './identity.ts';
import {
  deleteRowsOfErased,
  IDENTITY_CHANGE,
  insertStatement,
  isTaken,
  putStatement,
  reportUnionOf,
} from './identity-rows.ts';

/**
 * The account of a person that WeChat or a channel has confirmed. Of several first logins at once, also at several
 * mini-programs, one creates the user: the primary key of `identities` decides, and the others find what it created.
 */
interface Confirmed {
  account: LoginAccount;
  /** Only in the call that created it. */
  created: boolean;
}

/**
 * A known openid wins over a unionid that belongs to another user. If only the unionid is known, the user gets a row for
 * the openid. Throws EngineError.
 */
export async function accountOfWechat(person: WechatPerson, appId: string): Promise<Confirmed> {
  const find = () => findAccount({ by: 'wechat', person }, appId);
  const own = wechatIdentity(person);
  const rows = person.unionid === null ? [own] : [unionIdentity(person.unionid), own];
  const confirmed = await findOrCreate(find, rows);
  const { userId, foundBy } = confirmed.account;
  const isComplete = confirmed.created || !foundBy || (await completeWechat(userId, person, foundBy));
  // The user has removed this person meanwhile.
  return isComplete ? confirmed : findOrCreate(find, rows);
}

/**
 * false: it is not the user of this person any more. Adds what is new: the openid at another mini-program, or a unionid
 * that WeChat did not give before.
 */
async function completeWechat(userId: string, person: WechatPerson, known: FoundBy): Promise<boolean> {
  const { unionid } = person;
  if (known.unionOwner !== null && known.unionOwner !== userId) {
    reportUnionOf(userId, known.unionOwner);
    if (known.identity) return true;
  }
  const isComplete = known.identity && (unionid === null || (known.unionid === unionid && known.unionOwner === userId));
  if (isComplete) return true;
  const mayHaveUnion = unionid !== null && (known.unionOwner ?? userId) === userId;
  const rows = [
    ...(mayHaveUnion ? [unionIdentity(unionid)] : []),
    wechatIdentity({ ...person, unionid: mayHaveUnion ? unionid : null }),
  ];
  return addRows(userId, rows, (row) => isOfPerson(row, person));
}

/** After SERVER_KEY was changed a channel user has a new address. Throws EngineError. */
export async function accountOfChannel(
  user: { channel: string; channelUserId: string; address: string },
  appId: string,
): Promise<Confirmed> {
  const own = channelIdentity(user);
  const confirmed = await findOrCreate(() => findAccount({ by: 'channel', ...user }, appId), [own]);
  const { userId, foundBy } = confirmed.account;
  if (!confirmed.created && foundBy?.address !== user.address) {
    await addRows(userId, [own], (row) => isSame(row, own));
  }
  return confirmed;
}

async function findOrCreate(
  find: () => Promise<LoginAccount | null>,
  rows: readonly NewIdentity[],
): Promise<Confirmed> {
  const known = await find();
  if (known) return { account: known, created: false };
  const userId = newUserId();
  const isFree = await createUser(userId, rows);
  let account = await find();
  if (!account && !isFree) {
    // A subject is taken, but by no living user: the former release has erased the account.
    await deleteRowsOfErased(rows);
    await createUser(userId, rows);
    account = await find();
  }
  // Another call created it, and it was erased since. The next attempt creates a new account.
  if (!account) throw new EngineError('mysql', 'the account was erased meanwhile', 'not-applied');
  return { account, created: account.userId === userId };
}

/**
 * false: one of the subjects is taken, and nothing was created. A repetition after a lost answer also finds them taken, by
 * its own rows. The identities are inserted first: if several calls run at once, all but one wait there and hold no other
 * lock.
 */
async function createUser(userId: string, rows: readonly NewIdentity[]): Promise<boolean> {
  const columns = formerColumns(rows);
  const create = async ({ write }: Transaction): Promise<void> => {
    await write(...insertStatement(userId, ...rows));
    await write(
      `INSERT INTO users (user_id, profile, ${columns.map(([column]) => column).join(', ')})
       VALUES (?, '{}', ${columns.map(() => '?').join(', ')})`,
      [userId, ...columns.map(([, value]) => value)],
    );
  };
  try {
    await withTransaction(create, IDENTITY_CHANGE);
    return true;
  } catch (error) {
    if (isTaken(error)) return false;
    throw error;
  }
}

/**
 * false: the user does not have any of the rows any more by which it was found, and gets none. Otherwise adds rows, and
 * renews unionid and address of rows that it has. A subject of another user stays there.
 */
async function addRows(
  userId: string,
  rows: readonly NewIdentity[],
  foundBy: (row: Identity) => boolean,
): Promise<boolean> {
  const add = async (transaction: Transaction): Promise<boolean> => {
    const user = await lockUser(userId, transaction);
    if (!user?.identities.some(foundBy)) return false;
    for (const row of rows) {
      await transaction.write(...putStatement(userId, row));
    }
    await writeFormerColumns(userId, transaction);
    return true;
  };
  return withTransaction(add, IDENTITY_CHANGE);
}
