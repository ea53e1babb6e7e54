import { repeatOnContention } from '../contention.ts';
import { type SqlValue, type Transaction, withTransaction, write } from '../db.ts';
import { ER_DUP_ENTRY, SqlError } from '../errors.ts';
import { type OperatorChange, operatorLogStatement } from '../operator-log.ts';

/** Refunds of different orders may lock the same gap of an index, so several attempts are usual under load. */
const ATTEMPTS = { lostAnswers: true, tries: 8 };

/**
 * Runs a statement that changes at most one row, once: a unique key or a condition of its own refuses the repetition. The
 * row of the operator log is written in the same transaction, and only with a change. So after a lost answer the
 * repetition writes no second row. `change` undefined: not an operator's. Returns false if this attempt changed nothing;
 * an earlier one, whose answer was lost, may have changed it. Throws EngineError, SqlError.
 */
export async function changeOnce(
  sql: string,
  values: readonly SqlValue[],
  change: OperatorChange | undefined,
): Promise<boolean> {
  const run = async (to: Transaction['write']): Promise<boolean> => {
    const { rowsAffected } = await to(sql, values);
    if (rowsAffected > 0 && change) await to(...operatorLogStatement(change));
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
