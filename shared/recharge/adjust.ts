import { ASSET } from './catalogue.ts';
import { readHolding } from './entry.ts';
import {
  appendEntry,
  type ByOperator,
  checkWallet,
  MOST_UNITS,
  type OperatorEntry,
  planEntry,
  refused,
  tooLittle,
} from './operator-entry.ts';

/** Corrections of a wallet by operators: one entry of the kind `adjust`. `amount` is signed, and not 0. */
export type Adjustment = Omit<OperatorEntry, 'kind' | 'expiresAt'>;

const entryOf = (wanted: Adjustment): OperatorEntry => ({ ...wanted, kind: 'adjust' });

/** As planEntry(). Throws NOT_FOUND, INVALID_INPUT, each with a sentence. */
export async function planAdjust(
  wanted: Adjustment,
  how: { again: boolean },
): Promise<{ key: string; balance: number }> {
  const { amount } = wanted;
  if (!Number.isSafeInteger(amount) || amount === 0 || Math.abs(amount) > MOST_UNITS)
    throw refused(`The amount is a whole number from -${MOST_UNITS} to ${MOST_UNITS}, and not 0.`);
  return planEntry(entryOf(wanted), how);
}

/** Adjusts once for each key. Throws NOT_FOUND, INVALID_INPUT (the balance would become negative), EngineError. */
export async function adjust(
  wanted: Adjustment,
  by: ByOperator,
): Promise<{ ref: string; amount: number; balance: number }> {
  const made = await appendEntry(entryOf(wanted), by);
  if (made) return made;
  const { appId, userId } = wanted;
  await checkWallet(wanted);
  const { balance, held } = await readHolding(appId, userId, ASSET);
  throw tooLittle(balance - held);
}
