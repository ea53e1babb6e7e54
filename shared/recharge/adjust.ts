import { query, type Transaction, withTransaction } from '../db.ts';
import { AppError } from '../errors.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { sql } from '../sql-fragment.ts';
import { AVAILABLE, appendIn, BALANCE } from './append.ts';
import { forgetBalance } from './balance.ts';
import { ASSET } from './catalogue.ts';
import { CONTRA, findEntry, readHolding } from './entry.ts';
import { adjustNumber, walletName } from './numbers.ts';
import { userWallet } from './user-wallet.ts';

/** Corrections of a wallet by operators: one entry of the kind `adjust`. */
export interface Adjustment {
  appId: string;
  userId: string;
  /** Units, signed, not 0. */
  amount: number;
  reason: string;
  /** The balance may become negative. */
  allowDebt: boolean;
}

const MOST = 1_000_000_000;

/**
 * Checks an adjustment, and derives its key from those that exist: so the same command typed twice adjusts once. The
 * same amount for the same wallet within a day is taken for a repetition, unless `again`. Throws NOT_FOUND,
 * INVALID_INPUT, each with a sentence.
 */
export async function planAdjust(
  wanted: Adjustment,
  { again }: { again: boolean },
): Promise<{ key: string; balance: number }> {
  const { appId, userId, amount, reason, allowDebt } = wanted;
  if (!Number.isSafeInteger(amount) || amount === 0 || Math.abs(amount) > MOST)
    throw refused(`The amount is a whole number from -${MOST} to ${MOST}, and not 0.`);
  if (reason.length > 200 || !/^[^\p{Cc}\p{Cs}]+$/u.test(reason)) throw refused('The reason has 1 to 200 characters.');
  await checkWallet(appId, userId);
  const { balance, held } = await readHolding(appId, userId, ASSET);
  if (amount < 0 && balance - held + amount < 0 && !allowDebt) throw tooLittle(balance - held);
  const { count, recent } = await sameAdjustments(wanted);
  if (recent !== undefined && !again) {
    throw refused(
      `Adjustment ${recent} of ${amount} units of this wallet was made within the last 24 h: nothing was done. --again makes one more.`,
    );
  }
  return { key: `operator:${amount}:${count}`, balance };
}

async function checkWallet(appId: string, userId: string): Promise<void> {
  const [app] = await query('SELECT 1 AS found FROM apps WHERE app_id = ?', [appId]);
  if (!app) throw new AppError('NOT_FOUND', `There is no app ${appId}. "app list" prints the AppIDs.`);
  const [user] = await query('SELECT erased_at, merged_into FROM users WHERE user_id = ?', [userId]);
  if (!user) throw new AppError('NOT_FOUND', `There is no user ${userId}. "user find" prints the userId.`);
  if (user.merged_into !== null)
    throw refused(`User ${userId} was merged into user ${String(user.merged_into)}: adjust that wallet.`);
  if (user.erased_at !== null) throw refused(`User ${userId} is erased: nothing was adjusted.`);
}

/** Adjustments of this amount: their number, and one of the last 24 h, by the clock of MySQL. */
async function sameAdjustments({ appId, userId, amount }: Adjustment) {
  const rows = await query(
    `SELECT ref, created_at > NOW(3) - INTERVAL 24 HOUR AS recent FROM ledger_entries
      WHERE app_id = ? AND user_id = ? AND asset = ? AND kind = 'adjust' AND delta = ? ORDER BY seq DESC`,
    [appId, userId, ASSET, amount],
  );
  const recent = rows.find((row) => Number(row.recent) === 1);
  return { count: rows.length, recent: recent && String(recent.ref) };
}

/**
 * Adjusts once for each key, together with the row of the operator log. A call that is repeated after a lost answer
 * finds its entry. Throws INVALID_INPUT (the balance would become negative), EngineError.
 */
export async function adjust(
  wanted: Adjustment,
  by: { key: string; actor: string; detail?: Record<string, unknown> },
): Promise<{ ref: string; amount: number; balance: number }> {
  const { appId, userId, amount, reason } = wanted;
  const ref = adjustNumber(appId, userId, by.key);
  const change = {
    actor: by.actor,
    action: 'recharge.adjust',
    subject: `${appId}/${userId}`,
    detail: { ref, amount, reason, ...by.detail },
  };
  await withTransaction(
    async (transaction) => {
      if (await appendAdjustment(transaction, wanted, ref)) await transaction.write(...operatorLogStatement(change));
    },
    { lostAnswers: true, tries: 8 },
  );
  await forgetBalance(walletName(appId, userId));
  const entry = await findEntry('adjust', ref);
  if (!entry) throw await whyRefused(wanted);
  return { ref, amount: entry.delta, balance: entry.balanceAfter };
}

/** Holds keep their units. false: the entry exists, or too few units are available. */
async function appendAdjustment(transaction: Transaction, wanted: Adjustment, ref: string): Promise<boolean> {
  const { appId, userId, amount, reason, allowDebt } = wanted;
  const { from, where, wallet } = userWallet(appId, userId);
  const isFree = allowDebt || amount > 0 ? 1 : 0;
  const { outcome } = await appendIn(transaction, {
    kind: 'adjust',
    ref,
    from,
    where: sql`${where} AND (${isFree} OR ${AVAILABLE} + ${amount} >= 0)
      AND ABS(${BALANCE} + ${amount}) <= ${Number.MAX_SAFE_INTEGER}`,
    wallet,
    delta: sql`${amount}`,
    contra: sql`${CONTRA.adjusted}`,
    reason: sql`${reason}`,
  });
  return outcome === 'created';
}

async function whyRefused({ appId, userId }: Adjustment): Promise<AppError> {
  await checkWallet(appId, userId);
  const { balance, held } = await readHolding(appId, userId, ASSET);
  return tooLittle(balance - held);
}

const tooLittle = (available: number): AppError =>
  refused(
    `The wallet has ${available} units available: nothing was adjusted. --allow-debt lets the balance become negative.`,
  );

const refused = (sentence: string): AppError => new AppError('INVALID_INPUT', sentence);
