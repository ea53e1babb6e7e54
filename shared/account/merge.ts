import { ignoreEngine, invalidate, writeStrict } from '../cache/write.ts';
import { countRecordsOf, moveRecordsOf, type Spoiled } from '../data/records-of-user.ts';
import { query, type SqlValue, sqlTime, type Transaction, withTransaction } from '../db.ts';
import { AppError } from '../errors.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { forgetMerged, movableUnits, moveUnits, type WalletMove } from '../recharge/merge-wallets.ts';
import { moneyOf } from '../recharge/money.ts';
import { asObject } from '../session/session.ts';
import { userVersionKey } from '../swept-keys.ts';
import { revokeAllPluginTokens } from './change.ts';
import { ERASE, endInto } from './erase-statement.ts';
import { type IdentifiedUser, lockUsers, readUser, writeFormerColumns } from './identified-user.ts';
import { IDENTITY_CHANGE } from './identity-rows.ts';
import { reserveAccount } from './reserved-names.ts';

/**
 * Merging two accounts of one person, by an operator. One of them ends; what it has moves to the other one. Orders and
 * ledger entries keep their user. So without `wallets` nothing is merged while one of the two has units, or money that is
 * on its way. With `wallets` the units move, too, and open orders are credited to the user that stays; holds and refunds
 * in progress must end first.
 */
interface Pair {
  /** This user ends. */
  from: string;
  into: string;
}

interface MergeOptions {
  /** Also move the units of wallets. */
  wallets: boolean;
}

/** What a merge does, or has done. */
export interface Merge extends Pair {
  /** How many move, without the account name, and without unionids, which users do not see. */
  identities: number;
  /** Of the user that ends. `ends`: the other one keeps its own, and nobody can register the name for a time. */
  account: 'none' | 'moves' | 'ends';
  phone: 'none' | 'moves' | 'ends';
  /** How many move, by the name of their resource. */
  records: Record<string, number>;
  /** Resources of which the user then has more records than users may write. */
  overQuota: string[];
  /** Apps whose extra fields move: the other user has none there. */
  fields: string[];
  /** Units that move, with `wallets`. */
  units: WalletMove[];
}

/** Nothing was merged. The message is for operators; each reason has a line. */
export class MergeRefused extends Error {
  override readonly name = 'MergeRefused';
}

/** What a merge would do. null: it was done already. Throws MergeRefused, NOT_FOUND, EngineError. */
export async function planMerge(pair: Pair, options: MergeOptions): Promise<Merge | null> {
  const users = [await readUser(pair.from), await readUser(pair.into)] as const;
  return (await findMerge(pair, users, query)) ? null : plan(pair, options, users, query);
}

/**
 * All in one transaction, together with its row in the operator log. A merge that is sent again after a lost answer
 * finds this row and is a success. Throws MergeRefused, NOT_FOUND, EngineError.
 */
export async function mergeUsers(pair: Pair, options: MergeOptions, actor: string): Promise<Merge> {
  const { from, into } = pair;
  if (from === into) throw new MergeRefused('A user cannot be merged into itself.');
  for (const userId of [from, into]) if (!USER_ID.test(userId)) throw await missing(userId, query);
  const spoiled: Spoiled = { keys: [], generations: [] };
  const statements = async (transaction: Transaction): Promise<Merge> => {
    const locked = await lockUsers([from, into], transaction);
    const users = [locked.get(from) ?? null, locked.get(into) ?? null] as const;
    const done = await findMerge(pair, users, transaction.query);
    if (done) return done;
    const merge = await plan(pair, options, users, transaction.query);
    if (options.wallets) merge.units = await moveUnits(pair, transaction);
    merge.records = await moveRecordsOf(from, into, transaction, spoiled);
    await moveFields(merge, transaction);
    await moveIdentities(merge, users[0] as IdentifiedUser, transaction);
    const { from: _, into: __, ...detail } = merge;
    await transaction.write(
      ...operatorLogStatement({ actor, action: ACTION, subject: into, detail: { from, ...detail } }),
    );
    return merge;
  };
  const merged = await writeStrict([userVersionKey(from), userVersionKey(into)], async () => {
    const merge = await withTransaction(statements, IDENTITY_CHANGE);
    // Whatever this misses, the sweep of changed rows deletes.
    await invalidate([...new Set(spoiled.keys)], [...new Set(spoiled.generations)]).catch(ignoreEngine);
    return merge;
  });
  await forgetMerged(pair, merged.units ?? []);
  await revokeAllPluginTokens(from);
  return merged;
}

const ACTION = 'user.merge';
const USER_ID = /^[A-Za-z0-9_-]{1,32}$/;

type Users = readonly [from: IdentifiedUser | null, into: IdentifiedUser | null];

/** The same merge, if it was done before. */
async function findMerge({ from, into }: Pair, [user]: Users, ask: Transaction['query']): Promise<Merge | undefined> {
  if (user) return undefined;
  const rows = await ask('SELECT detail FROM audit_log WHERE subject = ? AND action = ?', [into, ACTION]);
  const detail = rows.map((row) => asObject(row.detail)).find((of) => of.from === from);
  return detail && ({ ...detail, from, into } as Merge);
}

/** Throws MergeRefused, NOT_FOUND. */
async function plan(
  { from, into }: Pair,
  options: MergeOptions,
  [ending, staying]: Users,
  ask: Transaction['query'],
): Promise<Merge> {
  if (!ending) throw await missing(from, ask);
  if (!staying) throw await missing(into, ask);
  await checkFree([ending, staying], options, ask);
  const hasPhone = ({ identities }: IdentifiedUser): boolean => identities.some(({ platform }) => platform === 'phone');
  const phone = hasPhone(ending) ? (hasPhone(staying) ? 'ends' : 'moves') : 'none';
  const seen = ending.identities.filter(({ platform }) => platform !== 'wechat-union');
  const own = await countRecordsOf(from, ask);
  const others = await countRecordsOf(into, ask);
  const moving = own.filter(({ records }) => records > 0);
  const sum = (resource: string): number =>
    [...own, ...others].reduce((total, of) => total + (of.resource === resource ? of.records : 0), 0);
  return {
    from,
    into,
    identities: seen.length - (phone === 'ends' ? 1 : 0),
    account: ending.account === null ? 'none' : staying.account === null ? 'moves' : 'ends',
    phone,
    records: Object.fromEntries(moving.map(({ resource, records }) => [resource, records])),
    overQuota: moving.filter(({ resource, quota }) => sum(resource) > quota).map(({ resource }) => resource),
    fields: await movingFields(from, into, ask),
    units: options.wallets ? await movableUnits({ from }, ask) : [],
  };
}

async function missing(userId: string, ask: Transaction['query']): Promise<AppError> {
  const [row] = await ask('SELECT merged_into FROM users WHERE user_id = ?', [userId]);
  if (!row) return new AppError('NOT_FOUND', `There is no user ${userId}. "user find" prints the userId.`);
  const { merged_into: other } = row;
  return new AppError(
    'NOT_FOUND',
    other === null ? `User ${userId} is erased.` : `User ${userId} was merged into user ${other} before.`,
  );
}

/** Throws MergeRefused with every reason. */
async function checkFree(
  users: readonly IdentifiedUser[],
  { wallets }: MergeOptions,
  ask: Transaction['query'],
): Promise<void> {
  const reasons: string[] = [];
  for (const { userId, disabled } of users) {
    if (disabled) reasons.push(`User ${userId} is disabled: enable it first, with "user enable --user ${userId}".`);
    for (const { appId, units, held, openOrders, refunds } of await moneyOf(userId, ask)) {
      if (wallets && held === 0 && refunds === 0) continue;
      reasons.push(
        `User ${userId}, app ${appId}: ${units} units, ${held} of them held, ${openOrders} open orders, ${refunds} refunds in progress.`,
      );
    }
  }
  if (reasons.length > 0) throw new MergeRefused(['Nothing was merged.', ...reasons].join('\n'));
}

async function movingFields(from: string, into: string, ask: Transaction['query']): Promise<string[]> {
  const rows = await ask(
    `SELECT f.app_id, f.user_id, f.fields FROM apps a
       JOIN user_fields f ON f.app_id = a.app_id AND f.user_id IN (?, ?)`,
    [from, into],
  );
  const filled = rows.filter(({ fields }) => Object.keys(asObject(fields)).length > 0);
  const apps = (userId: string) => filled.filter((row) => row.user_id === userId).map(({ app_id: id }) => String(id));
  const taken = new Set(apps(into));
  return apps(from).filter((appId) => !taken.has(appId));
}

async function moveFields({ from, into, fields }: Merge, { write }: Transaction): Promise<void> {
  if (fields.length === 0) return;
  await write(
    `INSERT INTO user_fields (app_id, user_id, fields)
     SELECT f.app_id, ?, f.fields FROM user_fields f
      WHERE f.user_id = ? AND f.app_id IN (${fields.map(() => '?').join(', ')})
     ON DUPLICATE KEY UPDATE fields = VALUES(fields)`,
    [into, from, ...fields],
  );
}

/** Also ends the user `from`. The columns of `users` are unique, so its row is emptied before the other row is filled. */
async function moveIdentities(
  { from, into, account, phone }: Merge,
  user: IdentifiedUser,
  transaction: Transaction,
): Promise<void> {
  const { query: ask, write } = transaction;
  if (phone === 'ends') await write("DELETE FROM identities WHERE user_id = ? AND platform = 'phone'", [from]);
  await write('UPDATE identities SET user_id = ? WHERE user_id = ?', [into, from]);
  await write('DELETE FROM password_resets WHERE user_id = ?', [from]);
  if (account === 'ends') await reserveAccount(user.account as string, write);
  const [secret] = await ask('SELECT password_hash FROM users WHERE user_id = ? FOR UPDATE', [from]);
  await write(ERASE, [from]);
  await endInto(from, into, write);
  if (account === 'moves') {
    await write('UPDATE users SET account = ?, password_hash = ?, account_since = ? WHERE user_id = ?', [
      user.account,
      secret?.password_hash as SqlValue,
      sqlTime(user.accountSince),
      into,
    ]);
  }
  await writeFormerColumns(into, transaction);
}
