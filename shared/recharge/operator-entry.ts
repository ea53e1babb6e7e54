import { query, type Transaction, withTransaction } from '../db.ts';
import { AppError } from '../errors.ts';
import { type Fragment, sql } from '../sql-fragment.ts';
import { hasVisibleText } from '../visible-text.ts';
import { AVAILABLE, appendIn, BALANCE } from './append.ts';
import { forgetBalance } from './balance.ts';
import { ASSET } from './catalogue.ts';
import { CONTRA, findEntry, readHolding } from './entry.ts';
import { logIn } from './logged-change.ts';
import { adjustNumber, grantNumber, walletName } from './numbers.ts';
import { userWallet } from './user-wallet.ts';

/** What an operator does to a wallet by an entry of its own: a correction, or a grant. */
export interface OperatorEntry {
  kind: 'adjust' | 'grant';
  appId: string;
  userId: string;
  /** Units, signed. */
  amount: number;
  reason: string;
  /** The entry may take units that are not there. */
  allowDebt: boolean;
  /** RFC 3339; undefined: the units have no end. */
  expiresAt?: string | undefined;
}

/** `key`: of one operator's deed. `detail`: more for the operator log. `approves`: the request that it executes. */
export interface ByOperator {
  key: string;
  actor: string;
  detail?: Record<string, unknown>;
  approves?: string;
}

export const MOST_UNITS = 1_000_000_000;

const NUMBER = { adjust: adjustNumber, grant: grantNumber };
const CONTRA_OF = { adjust: CONTRA.adjusted, grant: CONTRA.granted };

/**
 * Checks an entry, and derives its key from those that exist: so the same command typed twice makes one. The same
 * amount for the same wallet within a day is taken for a repetition, unless `again`. Throws NOT_FOUND, INVALID_INPUT,
 * each with a sentence.
 */
export async function planEntry(
  wanted: OperatorEntry,
  { again }: { again: boolean },
): Promise<{ key: string; balance: number }> {
  const { appId, userId, amount, reason, expiresAt } = wanted;
  if (reason.length > 200 || !/^[^\p{Cc}\p{Cs}]+$/u.test(reason) || !hasVisibleText(reason))
    throw refused('The reason has 1 to 200 characters, and one of them is visible.');
  await checkWallet(wanted);
  const { balance, held } = await readHolding(appId, userId, ASSET);
  if (amount < 0 && balance - held + amount < 0 && !wanted.allowDebt) throw tooLittle(balance - held);
  const { count, recent } = await sameEntries(wanted);
  if (recent !== undefined && !again) {
    throw refused(
      `Entry ${recent} of ${amount} units of this wallet was made within the last 24 h: nothing was done. --again makes one more.`,
    );
  }
  return { key: ['operator', amount, count, ...(expiresAt === undefined ? [] : [expiresAt])].join(':'), balance };
}

/** Of a user who was erased, units can only be taken. Throws NOT_FOUND, INVALID_INPUT. */
export async function checkWallet({
  appId,
  userId,
  amount,
}: Pick<OperatorEntry, 'appId' | 'userId' | 'amount'>): Promise<void> {
  const [app] = await query('SELECT 1 AS found FROM apps WHERE app_id = ?', [appId]);
  if (!app) throw new AppError('NOT_FOUND', `There is no app ${appId}. "app list" prints the AppIDs.`);
  const [user] = await query('SELECT erased_at, merged_into FROM users WHERE user_id = ?', [userId]);
  if (!user) throw new AppError('NOT_FOUND', `There is no user ${userId}. "user find" prints the userId.`);
  if (user.merged_into !== null)
    throw refused(`User ${userId} was merged into user ${String(user.merged_into)}: name that user.`);
  if (user.erased_at !== null && amount > 0) throw refused(`User ${userId} is erased: nothing was done.`);
}

/** Operators' entries of this amount: their number, and one of the last 24 h, by the clock of MySQL. */
async function sameEntries({ kind, appId, userId, amount }: OperatorEntry) {
  const rows = await query(
    `SELECT ref, created_at > NOW(3) - INTERVAL 24 HOUR AS recent FROM ledger_entries
      WHERE app_id = ? AND user_id = ? AND asset = ? AND kind = ? AND delta = ? AND request_hash IS NULL ORDER BY seq DESC`,
    [appId, userId, ASSET, kind, amount],
  );
  const recent = rows.find((row) => Number(row.recent) === 1);
  return { count: rows.length, recent: recent && String(recent.ref) };
}

/**
 * Appends once for each key, together with the row of the operator log. A call that is repeated after a lost answer
 * finds its entry. null: `isAllowed` does not hold, too few units are available, or the user has no wallet. Throws
 * EngineError.
 */
export async function appendEntry(
  wanted: OperatorEntry,
  by: ByOperator,
  rules: { end?: Fragment; isAllowed?: Fragment } = {},
): Promise<{ ref: string; amount: number; balance: number } | null> {
  const { kind, appId, userId, amount, reason, expiresAt } = wanted;
  const ref = NUMBER[kind](appId, userId, by.key);
  const change = {
    actor: by.actor,
    action: `recharge.${kind}`,
    subject: `${appId}/${userId}`,
    detail: { ref, amount, reason, ...(expiresAt !== undefined && { expiresAt }), ...by.detail },
    approves: by.approves,
  };
  await withTransaction(
    async (transaction) => {
      if (await append(transaction, wanted, ref, rules)) await logIn(transaction.write, change);
    },
    { lostAnswers: true, tries: 8 },
  );
  await forgetBalance(walletName(appId, userId));
  const entry = await findEntry(kind, ref);
  return entry && { ref, amount: entry.delta, balance: entry.balanceAfter };
}

/** Holds keep their units. false: the entry exists, or its conditions do not hold. */
async function append(
  transaction: Transaction,
  { kind, appId, userId, amount, reason, allowDebt }: OperatorEntry,
  ref: string,
  { end, isAllowed = sql`TRUE` }: { end?: Fragment; isAllowed?: Fragment },
): Promise<boolean> {
  const { from, where, wallet } = userWallet(appId, userId, { erasedToo: amount < 0 });
  const isFree = allowDebt || amount > 0 ? 1 : 0;
  const { outcome } = await appendIn(transaction, {
    kind,
    ref,
    from,
    where: sql`${where} AND ${isAllowed} AND (${isFree} OR ${AVAILABLE} + ${amount} >= 0)
      AND ABS(${BALANCE} + ${amount}) <= ${Number.MAX_SAFE_INTEGER}`,
    wallet,
    delta: sql`${amount}`,
    contra: sql`${CONTRA_OF[kind]}`,
    reason: sql`${reason}`,
    ...(end && { expiresAt: end }),
  });
  return outcome === 'created';
}

export const tooLittle = (available: number): AppError =>
  refused(
    `The wallet has ${available} units available: nothing was adjusted. --allow-debt lets the balance become negative.`,
  );

export const refused = (sentence: string): AppError => new AppError('INVALID_INPUT', sentence);
