import { writeRepeatably } from '../db.ts';
import type { OperatorChange } from '../operator-log.ts';
import { alarm } from '../telemetry.ts';
import { changeOnce } from './logged-change.ts';
import type { RefusedRefund } from './provider.ts';
import { FLIGHT_SECONDS, findRefund, type Refund } from './refund-record.ts';
import { returnUnits } from './refund-units.ts';

/** A refund that has not ended. */
export const IS_OPEN = "status IN ('accepted', 'cancelling', 'processing', 'abnormal')";

/**
 * Records that the provider refused a refund: no request is on its way any more. After a final refusal none is sent
 * again.
 */
export async function recordRefusal(refundNo: string, { code, final }: RefusedRefund): Promise<void> {
  const stop = ", status = 'cancelling', refusal = COALESCE(refusal, ?), checks = 0, next_check_at = NOW(3)";
  await writeRepeatably(
    `UPDATE refunds SET sent_at = NULL${final ? stop : ''} WHERE refund_no = ? AND status IN ('accepted', 'cancelling')`,
    [...(final ? [code] : []), refundNo],
  );
}

/** Closes a refund that was cancelled or refused. Call it only if the provider does not know it. */
export const closeCancelled = (refund: Refund): Promise<void> => close(refund, "status = 'cancelling'", null, null);

/** An operator says that no money was paid back, of a refund whose provider cannot be asked any more. */
export async function closeUnpaid(refund: Refund, change: OperatorChange): Promise<void> {
  await changeOnce(
    `UPDATE refunds SET status = 'closed', refusal = 'cancelled' WHERE refund_no = ? AND ${IS_OPEN}
        AND COALESCE(sent_at <= NOW(3) - INTERVAL ${FLIGHT_SECONDS} SECOND, 1)`,
    [refund.refundNo],
    change,
  );
  if ((await findRefund(refund.refundNo))?.status !== 'closed') return;
  await makeRoom(refund.orderNo);
  await finishClosed(refund);
}

/** The provider closed the refund: the money stayed with the merchant. */
export const closeAtProvider = (refund: Refund, refundId: string | null): Promise<void> =>
  close(refund, IS_OPEN, 'provider-closed', refundId);

/** These are no refusals of the provider. */
const OWN_ENDS: ReadonlySet<Refund['refusal']> = new Set(['cancelled', 'paid-already', 'provider-closed']);

/** The row decides first, so that a success that is reported at this moment wins or loses as a whole. */
async function close(refund: Refund, from: string, why: string | null, refundId: string | null): Promise<void> {
  const { refundNo, orderNo } = refund;
  const { rowsAffected } = await writeRepeatably(
    `UPDATE refunds SET status = 'closed', refusal = COALESCE(?, refusal),
            provider_refund_id = COALESCE(?, provider_refund_id) WHERE refund_no = ? AND ${from}`,
    [why, refundId, refundNo],
  );
  const now = await findRefund(refundNo);
  if (now?.status !== 'closed') return;
  const refused = !OWN_ENDS.has(now.refusal);
  if (rowsAffected === 1 && refused) alarm('refund-refused', { orderNo, refundNo, code: now.refusal });
  await makeRoom(orderNo);
  await finishClosed(now);
}

/** What was paid back twice may find room now, so the sweeper books it. */
const makeRoom = (orderNo: string) =>
  writeRepeatably(
    `UPDATE refunds SET next_check_at = NOW(3) WHERE order_no = ? AND status = 'closed' AND refusal = 'paid-twice'`,
    [orderNo],
  );

/** Returns the units. Without the last statement the sweeper does it again. */
export async function finishClosed(refund: Refund): Promise<void> {
  await returnUnits(refund);
  await writeRepeatably("UPDATE refunds SET next_check_at = NULL WHERE refund_no = ? AND status = 'closed'", [
    refund.refundNo,
  ]);
}

/** Marks the order, then ends the checks. */
export async function finishSuccess({ refundNo, orderNo }: Refund): Promise<void> {
  await markRefunded(orderNo);
  await writeRepeatably("UPDATE refunds SET next_check_at = NULL WHERE refund_no = ? AND status = 'success'", [
    refundNo,
  ]);
}

/** Sets the status of the order from the refunds that succeeded. It may be repeated. */
async function markRefunded(orderNo: string): Promise<void> {
  const done = "(SELECT COALESCE(SUM(r.amount_fen), 0) FROM refunds r WHERE r.order_no = ? AND r.status = 'success')";
  await writeRepeatably(
    `UPDATE recharge_orders SET status = IF(${done} >= amount_fen, 'refunded', 'partial_refund'),
            refunded_fen = GREATEST(refunded_fen, ${done})
      WHERE order_no = ? AND status IN ('paid', 'partial_refund')`,
    [orderNo, orderNo, orderNo],
  );
}
