import { repeatOnContention } from '../contention.ts';
import { type SqlValue, type Transaction, withTransaction, write } from '../db.ts';
import { AppError, ER_DUP_ENTRY, SqlError } from '../errors.ts';
import { type OperatorChange, operatorLogStatement } from '../operator-log.ts';

/** Refunds of different orders may lock the same gap of an index, so several attempts are usual under load. */
const ATTEMPTS = { lostAnswers: true, tries: 8 };

/** A change of money by an operator. */
export interface MoneyChange extends OperatorChange {
  /** The number of the request that it executes, if a second person approved it. */
  approves?: string | undefined;
}

/**
 * Writes the row of the operator log in the transaction of the change, and approves the request that the change executes:
 * so a request is approved if and only if its movement was made. Throws INVALID_INPUT: the request was rejected, and the
 * transaction must change nothing.
 */
export async function logIn(to: Transaction['write'], { approves: requestId, ...change }: MoneyChange): Promise<void> {
  await to(...operatorLogStatement(change));
  if (requestId === undefined) return;
  const { actor, subject } = change;
  const { rowsAffected } = await to(
    "UPDATE money_requests SET status = 'approved', decided_by = ?, decided_at = NOW(3) WHERE request_id = ? AND status = 'open'",
    [nameOf(actor), requestId],
  );
  if (rowsAffected === 0)
    throw new AppError('INVALID_INPUT', `Request ${requestId} was rejected at this moment: nothing was done.`);
  await to(...operatorLogStatement({ actor, action: 'recharge.approve', subject, detail: { requestId } }));
}

/** The name of an operator as it is stored, in a column of 100 characters. */
export const nameOf = (actor: string): string => actor.slice(0, 100);

/**
 * Runs a statement that changes at most one row, once: a unique key or a condition of its own refuses the repetition. The
 * row of the operator log is written in the same transaction, and only with a change. So after a lost answer the
 * repetition writes no second row. `change` undefined: not an operator's. Returns false if this attempt changed nothing;
 * an earlier one, whose answer was lost, may have changed it. Throws EngineError, SqlError.
 */
export async function changeOnce(
  sql: string,
  values: readonly SqlValue[],
  change: MoneyChange | undefined,
): Promise<boolean> {
  const run = async (to: Transaction['write']): Promise<boolean> => {
    const { rowsAffected } = await to(sql, values);
    if (rowsAffected > 0 && change) await logIn(to, change);
    return rowsAffected > 0;
  };
  try {
    return await (change
      ? withTransaction((transaction) => run(transaction.write), ATTEMPTS)
      : repeatOnContention(() => run(write), ATTEMPTS));
  } catch (error) {
    if (error instanceof SqlError && error.errno === ER_DUP_ENTRY) return false;
    throw error;
  }
}
