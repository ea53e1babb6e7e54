import { type SqlValue, withTransaction } from '../../db.ts';
import { operatorLogStatement } from '../../operator-log.ts';
import type { Comparison } from './compare.ts';

/** More are not stored: a day with so many differences is compared again. */
const STORED = 1_000;

/** Stores how the comparison of a whole bill ended, one row for each AppID, together with its row of the operator log. */
export async function recordComparison(comparison: Comparison, actor: string): Promise<void> {
  const { provider, merchantId, day, apps, payments, refunds, explained, differences } = comparison;
  const rows = apps.map(({ appId, ...sums }): SqlValue[] => {
    const ofApp = differences.filter(({ providerAppId }) => providerAppId === appId).slice(0, STORED);
    const { billedFen, refundedFen } = sums;
    const key = [provider, merchantId, appId, day];
    return [...key, sums.payments, sums.refunds, billedFen, refundedFen, JSON.stringify(ofApp), actor.slice(0, 100)];
  });
  const detail = { payments, refunds, explained: explained.length, differences: differences.length };
  const subject = [provider, merchantId, day].filter(Boolean).join('/');
  await withTransaction(
    async (transaction) => {
      for (const row of rows) await transaction.write(STORE, row);
      await transaction.write(...operatorLogStatement({ actor, action: 'recharge.reconcile', subject, detail }));
    },
    // The same rows again are the same result; the log then has two rows of one comparison.
    { lostAnswers: true },
  );
}

const STORE = `INSERT INTO reconciliations (provider, merchant_id, provider_app_id, day, payments, refunds, billed_fen,
    refunded_fen, differences, compared_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON DUPLICATE KEY UPDATE payments = VALUES(payments), refunds = VALUES(refunds), billed_fen = VALUES(billed_fen),
    refunded_fen = VALUES(refunded_fen), differences = VALUES(differences), compared_by = VALUES(compared_by),
    compared_at = NOW(3)`;
