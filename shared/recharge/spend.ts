import { query } from '../db.ts';
import { AppError, invalidInput } from '../errors.ts';
import { type Fragment, sql } from '../sql-fragment.ts';
import { type Appended, AVAILABLE, appendOnce, BALANCE, isLocking } from './append.ts';
import { forgetBalance } from './balance.ts';
import { ASSET } from './catalogue.ts';
import { CONTRA, type Entry, findEntry } from './entry.ts';
import { requestHash, serverSpendNumber, spendNumber, walletName, walletOf } from './numbers.ts';
import { leftBy, userWallet } from './user-wallet.ts';

/** What a call has done. `replayed`: an earlier call with the same key had done it. */
export interface Done<T> {
  result: T;
  replayed: boolean;
}

interface Spent {
  /** The balance after this spend; a repeated call gets the same number. */
  balance: number;
  asset: string;
  ref: string;
}

interface FreeSpend {
  amount: number;
  reason?: string | undefined;
}

interface ItemSpend {
  itemId: string;
  quantity: number;
}

/**
 * Takes units for the user's own client: an amount, or the price of an item, which the statement reads. A hold keeps its
 * units, and the rest never becomes negative. One statement, also for a refusal, which stays under its key. Throws
 * INSUFFICIENT_BALANCE, INVALID_INPUT (no such item), IDEMPOTENCY_KEY_REUSED (the key was used for another spend).
 */
export async function spend(
  appId: string,
  userId: string,
  idempotencyKey: string,
  wanted: FreeSpend | ItemSpend,
): Promise<Done<Spent>> {
  const ref = spendNumber(appId, userId, idempotencyKey);
  const { appended, hash } = await takeUnits(appId, userId, ref, wanted);
  if (appended.outcome === 'created') {
    const known = isLocking() ? appended.report - 1 : -1;
    // A report of 0 is a refusal, and in the plain form it may be of another row: then the entry is read.
    if (known >= 0) {
      await forgetBalance(walletOf(ref));
      return { result: { balance: known, asset: ASSET, ref }, replayed: false };
    }
  }
  const { result, replayed } = await settled(ref, hash, appended, wanted);
  return { result: { balance: result.balance, asset: ASSET, ref }, replayed };
}

/** The same for a server that names the user: one statement more, which reads what is available. Throws NOT_FOUND, too. */
export async function spendByServer(
  appId: string,
  userId: string,
  idempotencyKey: string,
  wanted: FreeSpend,
): Promise<Done<Spent & { available: number }>> {
  const ref = serverSpendNumber(appId, userId, idempotencyKey);
  const { appended, hash } = await takeUnits(appId, userId, ref, wanted);
  const { result, replayed } = await settled(ref, hash, appended, wanted);
  return { result: { ...result, asset: ASSET, ref }, replayed };
}

async function takeUnits(appId: string, userId: string, ref: string, wanted: FreeSpend | ItemSpend) {
  const { from, where, wallet } = userWallet(appId, userId);
  const isFree = 'amount' in wanted;
  const amount = isFree ? sql`${wanted.amount}` : sql`i.amount * ${wanted.quantity}`;
  const ifEnough = (enough: Fragment, otherwise: Fragment): Fragment =>
    sql`IF(${AVAILABLE} >= ${amount}, ${enough}, ${otherwise})`;
  const hash = isFree
    ? requestHash({ amount: wanted.amount, reason: wanted.reason ?? null })
    : requestHash({ itemId: wanted.itemId, quantity: wanted.quantity });
  const appended = await appendOnce({
    kind: 'spend',
    ref,
    from: isFree ? from : sql`${from} JOIN items i ON i.item_id = ${wanted.itemId} AND i.active = 1`,
    where,
    wallet,
    delta: ifEnough(sql`-(${amount})`, sql`0`),
    contra: ifEnough(sql`${CONTRA.spent}`, sql`${CONTRA.refused}`),
    reason: isFree ? sql`${wanted.reason ?? null}` : sql`i.title`,
    requestHash: hash,
    report: ifEnough(sql`${BALANCE} - ${amount} + 1`, sql`0`),
  });
  return { appended, hash };
}

async function settled(
  ref: string,
  hash: string,
  appended: Appended,
  wanted: FreeSpend | ItemSpend,
): Promise<Done<{ balance: number; available: number }>> {
  if (appended.outcome === 'refused' || appended.outcome === 'foreign') throw await whyRefused(wanted);
  const replayed = appended.outcome === 'found';
  const entry = replayed ? appended.entry : ((await findEntry('spend', ref)) as Entry);
  checkSame(entry, hash);
  if (entry.contra === CONTRA.refused) throw refusedBefore(replayed);
  await forgetBalance(walletName(entry.appId, entry.userId));
  return { result: leftBy(entry), replayed };
}

/** Throws IDEMPOTENCY_KEY_REUSED. */
export function checkSame({ requestHash: known }: Entry, hash: string): void {
  if (known !== hash) throw new AppError('IDEMPOTENCY_KEY_REUSED');
}

export const refusedBefore = (replayed: boolean): AppError =>
  new AppError('INSUFFICIENT_BALANCE', undefined, replayed ? { headers: REPLAYED } : {});

/** Sent with the answer of a call whose key was used before. */
export const REPLAYED = { 'idempotency-replayed': 'true' };

async function whyRefused(wanted: FreeSpend | ItemSpend): Promise<AppError> {
  if (!('itemId' in wanted)) return new AppError('NOT_FOUND');
  const rows = await query('SELECT 1 AS found FROM items WHERE item_id = ? AND active = 1', [wanted.itemId]);
  return rows.length > 0 ? new AppError('NOT_FOUND') : invalidInput({ path: 'itemId', message: 'no such item' });
}
