import { ignoreEngine, invalidate, writeStrict } from '../cache/write.ts';
import { eraseRecordsOf, type Spoiled } from '../data/records-of-user.ts';
import { type Transaction, withTransaction } from '../db.ts';
import { AppError, type FieldError } from '../errors.ts';
import { forfeitUnits } from '../recharge/forfeit.ts';
import { type MoneyAtApp, moneyOf } from '../recharge/money.ts';
import { forgetPayer } from '../recharge/payer.ts';
import type { CurrentUser } from '../session/session.ts';
import { sessionKey, userVersionKey } from '../swept-keys.ts';
import { revokeAllPluginTokens } from './change.ts';
import { ERASE } from './erase-statement.ts';
import { type ProvingCall, withProof } from './own-proof.ts';
import { reserveAccount } from './reserved-names.ts';

/**
 * Erasing an account. It cannot be undone, so a session alone is not enough: a copied token must not do it. `forfeit`:
 * the user gives up what is left in wallets. Throws PROOF_REQUIRED, WALLET_NOT_EMPTY, UNAVAILABLE, EngineError.
 */
export const eraseAccount = (call: ProvingCall & { forfeit: boolean }): Promise<void> =>
  withProof(call, () => erase(call.appId, call.user, call.forfeit));

/**
 * Erases all personal data of the user and ends all sessions. Orders and ledger entries stay, with a user id that no
 * longer identifies a person. The account name stays reserved for a time; an openid or channel id is free again: a
 * later login with it creates a new account.
 */
async function erase(appId: string, user: CurrentUser, forfeit: boolean): Promise<void> {
  const { userId } = user;
  await writeStrict([userVersionKey(userId), sessionKey(appId, userId, user.sessionId)], async () => {
    const spoiled: Spoiled = { keys: [], generations: [] };
    const statements = async (transaction: Transaction): Promise<void> => {
      const { query, write } = transaction;
      const [row] = await query('SELECT account FROM users WHERE user_id = ? AND erased_at IS NULL FOR UPDATE', [
        userId,
      ]);
      if (!row) return;
      if (forfeit) await forfeitUnits(userId, transaction);
      else checkWallets(await moneyOf(userId, query));
      if (typeof row.account === 'string') await reserveAccount(row.account, write);
      await eraseRecordsOf(userId, transaction, spoiled);
      await write('DELETE FROM identities WHERE user_id = ?', [userId]);
      await write('DELETE FROM password_resets WHERE user_id = ?', [userId]);
      await forgetPayer(userId, write);
      await write(ERASE, [userId]);
    };
    await withTransaction(statements, { lostAnswers: true });
    // Whatever this misses, the sweep of changed rows deletes.
    await invalidate([...new Set(spoiled.keys)], [...new Set(spoiled.generations)]).catch(ignoreEngine);
  });
  await revokeAllPluginTokens(userId);
}

function checkWallets(apps: readonly MoneyAtApp[]): void {
  const errors = apps.map(
    ({ appId, units, held, openOrders, refunds }): FieldError => ({
      path: 'forfeit',
      message: `app ${appId}: ${units} units, ${held} of them held, ${openOrders} open orders, ${refunds} refunds in progress`,
    }),
  );
  if (errors.length > 0) throw new AppError('WALLET_NOT_EMPTY', undefined, { errors });
}
