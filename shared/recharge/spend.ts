import { AppError } from '../errors.ts';
import { forgetBalance } from './balance.ts';
import { ASSET } from './catalogue.ts';
import { appendOnce, findEntry, isLocking, joinLast } from './ledger.ts';
import { requestHash, spendNumber, walletOf } from './numbers.ts';

interface Spent {
  /** The balance after this spend; a repeated call gets the same number. */
  balance: number;
  asset: string;
  ref: string;
}

/**
 * Takes units. The balance never becomes negative. One statement, and one more for a refusal or a repeated call. Throws
 * INSUFFICIENT_BALANCE; IDEMPOTENCY_KEY_REUSED when the key was used with another amount or reason.
 */
export async function spend(
  appId: string,
  userId: string,
  idempotencyKey: string,
  wanted: { amount: number; reason?: string | undefined },
): Promise<Spent> {
  const { amount, reason = null } = wanted;
  const ref = spendNumber(appId, userId, idempotencyKey);
  const hash = requestHash({ amount, reason });
  // LAST_INSERT_ID(n) is returned as insertId: the balance without a second statement. Plus 1, because 0 means none.
  const appended = await appendOnce(
    { kind: 'spend', ref },
    ({ straight, forUpdate }) =>
      `INSERT INTO ledger_entries
         (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, reason, request_hash)
       SELECT ${straight} ?, u.user_id, ?, l.seq + 1, ?, LAST_INSERT_ID(l.balance_after - ? + 1) - 1,
              'spend', ?, 'shop:spent', ?, ?
         FROM users u ${joinLast('?', 'u.user_id', '?')}
        WHERE u.user_id = ? AND l.balance_after >= ? ${forUpdate}`,
    [appId, ASSET, -amount, amount, ref, reason, hash, appId, ASSET, appId, ASSET, userId, amount],
  );
  if (appended.outcome === 'refused' || appended.outcome === 'foreign') throw new AppError('INSUFFICIENT_BALANCE');
  if (appended.outcome === 'found' && appended.entry.requestHash !== hash) throw new AppError('IDEMPOTENCY_KEY_REUSED');
  await forgetBalance(walletOf(ref));
  const reported = appended.outcome === 'created' && isLocking() ? Number(appended.insertId) - 1 : -1;
  const entry = appended.outcome === 'found' ? appended.entry : reported < 0 ? await findEntry('spend', ref) : null;
  return { balance: entry?.balanceAfter ?? reported, asset: ASSET, ref };
}
