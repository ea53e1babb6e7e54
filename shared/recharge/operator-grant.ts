import { sqlTime } from '../db.ts';
import { sql } from '../sql-fragment.ts';
import { isLotEnd, LAST_END } from './lot-end.ts';
import {
  appendEntry,
  type ByOperator,
  checkWallet,
  MOST_UNITS,
  type OperatorEntry,
  planEntry,
  refused,
} from './operator-entry.ts';

/** Units that an operator gives: one entry of the kind `grant`, as a server makes them. `amount` is positive. */
export type OperatorGrant = Omit<OperatorEntry, 'kind' | 'allowDebt'>;

const entryOf = (wanted: OperatorGrant): OperatorEntry => ({ ...wanted, kind: 'grant', allowDebt: false });

/** As planEntry(). Throws NOT_FOUND, INVALID_INPUT, each with a sentence. */
export async function planGrant(
  wanted: OperatorGrant,
  { again, now = Date.now() }: { again: boolean; now?: number },
): Promise<{ key: string; balance: number }> {
  const { amount, expiresAt } = wanted;
  if (!Number.isSafeInteger(amount) || amount < 1 || amount > MOST_UNITS)
    throw refused(`The amount is a whole number from 1 to ${MOST_UNITS}.`);
  if (expiresAt !== undefined && !isLotEnd(expiresAt))
    throw refused(`The end is a time such as 2026-12-31T23:59:59+08:00, up to ${LAST_END}.`);
  if (expiresAt !== undefined && Date.parse(expiresAt) <= now) throw isPast(expiresAt);
  return planEntry(entryOf(wanted), { again });
}

/** Grants once for each key. Throws NOT_FOUND, INVALID_INPUT (the end is past), EngineError. */
export async function grantByOperator(
  wanted: OperatorGrant,
  by: ByOperator,
): Promise<{ ref: string; amount: number; balance: number }> {
  const { expiresAt } = wanted;
  const end = expiresAt === undefined ? undefined : sql`${sqlTime(expiresAt)}`;
  const made = await appendEntry(entryOf(wanted), by, end && { end, isAllowed: sql`${end} > NOW(3)` });
  if (made) return made;
  await checkWallet(wanted);
  throw expiresAt === undefined ? refused('The balance would become too large: nothing was done.') : isPast(expiresAt);
}

const isPast = (expiresAt: string) => refused(`The end ${expiresAt} is past: nothing was done.`);
