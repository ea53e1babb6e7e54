import { AppError, invalidInput } from '../errors.ts';
import { sql } from '../sql-fragment.ts';
import { AVAILABLE, appendOnce } from './append.ts';
import { forgetBalance } from './balance.ts';
import { CONTRA, type Entry, findEntry } from './entry.ts';
import { holdNumber, requestHash, walletName, walletOf } from './numbers.ts';
import { checkSame, type Done, refusedBefore } from './spend.ts';
import { leftBy, userWallet } from './user-wallet.ts';

/**
 * A hold keeps units of a wallet for a while: they stay in the balance, and nobody can spend them. It begins with one
 * entry and ends with one entry of the kind `hold_end`, whatever the end is. The unique key (kind, ref) lets a hold end
 * once only: captured, released or expired.
 */
interface Hold {
  holdId: string;
  status: 'held' | 'captured' | 'released' | 'expired';
  amount: number;
  captured: number;
  expiresAt: string;
}

export const MAX_HOLD_SECONDS = 7 * 86_400;

/** One statement, and one that reads the result. Throws NOT_FOUND, INSUFFICIENT_BALANCE, IDEMPOTENCY_KEY_REUSED. */
export async function placeHold(
  appId: string,
  userId: string,
  idempotencyKey: string,
  { amount, reason, seconds }: { amount: number; reason: string; seconds: number },
): Promise<Done<Hold & { available: number }>> {
  const ref = holdNumber(appId, userId, idempotencyKey);
  const hash = requestHash({ amount, reason, seconds });
  const isEnough = sql`${AVAILABLE} >= ${amount}`;
  const appended = await appendOnce({
    kind: 'hold',
    ref,
    ...userWallet(appId, userId),
    delta: sql`0`,
    heldDelta: sql`IF(${isEnough}, ${amount}, 0)`,
    contra: sql`IF(${isEnough}, ${CONTRA.held}, ${CONTRA.refused})`,
    reason: sql`${reason}`,
    requestHash: hash,
    expiresAt: sql`IF(${isEnough}, NOW(3) + INTERVAL ${seconds} SECOND, NULL)`,
  });
  if (appended.outcome === 'refused' || appended.outcome === 'foreign') throw new AppError('NOT_FOUND');
  const replayed = appended.outcome === 'found';
  const entry = replayed ? appended.entry : ((await findEntry('hold', ref)) as Entry);
  checkSame(entry, hash);
  if (entry.contra === CONTRA.refused) throw refusedBefore(replayed);
  await forgetBalance(walletName(entry.appId, entry.userId));
  const end = replayed ? await findEntry('hold_end', ref) : null;
  return { result: { ...holdOf(entry, end), available: leftBy(entry).available }, replayed };
}

/**
 * Takes `amount` of the held units, or all, and gives the rest back. Throws NOT_FOUND, INVALID_INPUT (more than is
 * held), HOLD_ENDED (ended otherwise, or with another amount).
 */
export async function captureHold(appId: string, userId: string, holdId: string, amount?: number): Promise<Hold> {
  const hold = await findHold(appId, userId, holdId);
  const taken = amount ?? hold.heldDelta;
  if (taken > hold.heldDelta) throw invalidInput({ path: 'amount', message: `expected at most ${hold.heldDelta}` });
  return endedAs(hold, await endHold(hold, CONTRA.spent, taken), CONTRA.spent, taken);
}

/** Gives all held units back. Throws NOT_FOUND, HOLD_ENDED (it was captured). */
export async function releaseHold(appId: string, userId: string, holdId: string): Promise<Hold> {
  const hold = await findHold(appId, userId, holdId);
  return endedAs(hold, await endHold(hold, CONTRA.released, 0), CONTRA.released, 0);
}

/** For the sweeper: gives the units of a hold back whose time is over. It may be repeated. */
export const expireHold = async (hold: Entry): Promise<void> => void (await endHold(hold, CONTRA.holdExpired, 0));

async function findHold(appId: string, userId: string, holdId: string): Promise<Entry> {
  const hold = /^H[A-Z2-7]{31}$/.test(holdId) ? await findEntry('hold', holdId) : null;
  const isOfUser = walletOf(holdId) === walletName(appId, userId) || hold?.userId === userId;
  if (hold?.appId !== appId || !isOfUser || hold.contra === CONTRA.refused) throw new AppError('NOT_FOUND');
  return hold;
}

const IS_ERASED = sql`(w.erased_at IS NOT NULL AND w.merged_into IS NULL)`;

type End = typeof CONTRA.spent | typeof CONTRA.released | typeof CONTRA.holdExpired;

/**
 * Ends the hold, unless it has ended. A hold whose time is over can only expire. What a hold gives back to a user who
 * was erased meanwhile is forfeited, as the rest of the wallet was. Returns its end.
 */
async function endHold(hold: Entry, contra: End, amount: number): Promise<Entry> {
  const isOver = contra === CONTRA.holdExpired ? sql`e.expires_at <= NOW(3)` : sql`e.expires_at > NOW(3)`;
  const appended = await appendOnce({
    kind: 'hold_end',
    ref: hold.ref,
    from: sql`ledger_entries e LEFT JOIN users w ON w.user_id = e.user_id`,
    where: sql`e.kind = 'hold' AND e.ref = ${hold.ref} AND e.held_delta >= ${amount} AND ${isOver}`,
    wallet: { appId: sql`e.app_id`, userId: sql`e.user_id`, asset: sql`e.asset` },
    delta: contra === CONTRA.spent ? sql`${-amount}` : sql`IF(${IS_ERASED}, -e.held_delta, 0)`,
    heldDelta: sql`-e.held_delta`,
    contra: contra === CONTRA.spent ? sql`${contra}` : sql`IF(${IS_ERASED}, ${CONTRA.forfeited}, ${contra})`,
    reason: sql`e.reason`,
  });
  if (appended.outcome === 'refused' && contra !== CONTRA.holdExpired) return endHold(hold, CONTRA.holdExpired, 0);
  await forgetBalance(walletName(hold.appId, hold.userId));
  const end = appended.outcome === 'found' ? appended.entry : await findEntry('hold_end', hold.ref);
  if (!end) throw new Error('a hold that neither ends nor has ended');
  return end;
}

/** Throws HOLD_ENDED if the hold ended in another way. */
function endedAs(hold: Entry, end: Entry, contra: End, amount: number): Hold {
  const isForfeited = end.contra === CONTRA.forfeited && contra !== CONTRA.spent;
  if (!isForfeited && (end.contra !== contra || end.delta !== -amount)) throw new AppError('HOLD_ENDED');
  return holdOf(hold, end);
}

function holdOf({ ref: holdId, heldDelta: amount, expiresAt }: Entry, end: Entry | null): Hold {
  const status = end === null ? 'held' : STATUS[end.contra as End | typeof CONTRA.forfeited];
  const captured = status === 'captured' && end ? -end.delta : 0;
  return { holdId, status, amount, captured, expiresAt: String(expiresAt) };
}

const STATUS: Record<End | typeof CONTRA.forfeited, Hold['status']> = {
  [CONTRA.spent]: 'captured',
  [CONTRA.released]: 'released',
  [CONTRA.forfeited]: 'released',
  [CONTRA.holdExpired]: 'expired',
};
