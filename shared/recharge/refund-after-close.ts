import { sqlTime, writeRepeatably } from '../db.ts';
import { alarm } from '../telemetry.ts';
import { madeRefundNumber } from './numbers.ts';
import type { ReportedRefund } from './provider.ts';
import { acceptRefund } from './refund-accept.ts';
import { FLIGHT_SECONDS, findRefund, type Refund, refundsOf } from './refund-record.ts';

/**
 * The provider paid back a refund that is closed here, whose units were returned. The closed one keeps its end, so the
 * money is booked as another refund of the order: `paid-later`. If nothing is left of the payment, because the refund was
 * made again, the money was paid twice: `paid-twice`. A refund that the provider has not taken yet is stopped then, and
 * makes room. Returns the other refund, whose next steps are to be done. It may be repeated.
 */
export async function bookPaidLater(refund: Refund, report: ReportedRefund): Promise<Refund | null> {
  const { refundNo, orderNo, amountFen, reason } = refund;
  const refundId = report.refundId ?? refund.providerRefundId ?? refundNo;
  const at = report.acceptedAt ?? refund.providerAt;
  const numbers = [refundId, refund.providerRefundId, refundNo];
  const isOther = (of: Refund) => of.origin === 'elsewhere' && of.status !== 'closed';
  let other = (await refundsOf(orderNo)).find((of) => isOther(of) && numbers.includes(of.providerRefundId)) ?? null;
  if (!other) {
    const made = { refundNo: madeRefundNumber(orderNo, refundId), orderNo, amountFen, reason };
    await acceptRefund({ ...made, origin: 'elsewhere', refundId, at }, undefined);
    other = await findRefund(made.refundNo);
  }
  const why = other ? 'paid-later' : 'paid-twice';
  const { rowsAffected } = await writeRepeatably(
    `UPDATE refunds SET refusal = ?, provider_refund_id = ?, provider_at = ?
      WHERE refund_no = ? AND status = 'closed' AND NOT refusal <=> ?`,
    [why, refundId, at === null ? null : sqlTime(at), refundNo, why],
  );
  if (rowsAffected > 0) alarm('refund-after-close', { orderNo, refundNo, booked: other?.refundNo ?? null });
  if (!other) await stopUnsent(orderNo);
  return other;
}

/** Sending them would pay more than was paid. When one is closed, the refund that was paid back finds room. */
const stopUnsent = (orderNo: string) =>
  writeRepeatably(
    `UPDATE refunds SET status = 'cancelling', refusal = 'paid-already', checks = 0,
            next_check_at = GREATEST(NOW(3), COALESCE(sent_at + INTERVAL ${FLIGHT_SECONDS} SECOND, NOW(3)))
      WHERE order_no = ? AND status = 'accepted' AND origin = 'here'`,
    [orderNo],
  );
