import { type SqlValue, withTransaction } from '../../db.ts';
import { operatorLogStatement } from '../../operator-log.ts';
import type { Comparison } from './compare.ts';
import type { Finding } from './finding.ts';

/** More are not stored: a day with so many differences is compared again, and none of them is taken for settled. */
export const STORED = 1_000;

/** Stores how the comparison of a whole bill ended, one row for each AppID, together with its row of the operator log. */
export async function recordComparison(comparison: Comparison, actor: string): Promise<void> {
  const { provider, merchantId, day, apps, payments, refunds, explained, undecided, differences } = comparison;
  const rows = apps.map(({ appId, ...sums }): SqlValue[] => {
    const ofApp = (findings: readonly Finding[]): string =>
      JSON.stringify(findings.filter(({ providerAppId }) => providerAppId === appId).slice(0, STORED));
    const { billedFen, refundedFen, bookedFen, bookedRefundsFen } = sums;
    return [
      ...[provider, merchantId, appId, day, sums.payments, sums.refunds, billedFen, refundedFen],
      ...[bookedFen, bookedRefundsFen, ofApp([...differences, ...undecided]), ofApp(explained), actor.slice(0, 100)],
    ];
  });
  const counts = { explained: explained.length, undecided: undecided.length, differences: differences.length };
  const detail = { payments, refunds, ...counts };
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
    refunded_fen, booked_fen, booked_refunds_fen, differences, explained, compared_by)
  VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
  ON DUPLICATE KEY UPDATE payments = VALUES(payments), refunds = VALUES(refunds), billed_fen = VALUES(billed_fen),
    refunded_fen = VALUES(refunded_fen), booked_fen = VALUES(booked_fen),
    booked_refunds_fen = VALUES(booked_refunds_fen), differences = VALUES(differences), explained = VALUES(explained),
    compared_by = VALUES(compared_by), compared_at = NOW(3)`;
