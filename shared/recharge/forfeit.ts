import type { Transaction } from '../db.ts';
import { sql } from '../sql-fragment.ts';
import { AVAILABLE, appendIn } from './append.ts';
import { CONTRA } from './entry.ts';
import { moneyOf } from './money.ts';
import { forfeitNumber } from './numbers.ts';
import { userWallet } from './user-wallet.ts';

/**
 * Takes what a user gives up out of all its wallets, so that nobody owes it units any more. What a hold keeps stays for
 * the server that holds it. In the transaction that erases the user, before its row is emptied.
 */
export async function forfeitUnits(userId: string, transaction: Transaction): Promise<void> {
  for (const { appId, units } of await moneyOf(userId, transaction.query)) {
    if (units <= 0) continue;
    await appendIn(transaction, {
      kind: 'adjust',
      ref: forfeitNumber(appId, userId),
      ...userWallet(appId, userId),
      delta: sql`-GREATEST(0, ${AVAILABLE})`,
      contra: sql`${CONTRA.forfeited}`,
    });
  }
}
