import { sqlTime } from '../db.ts';
import { changeOnce, type MoneyChange } from './logged-change.ts';
import type { Refund } from './refund-record.ts';

interface NewRefund {
  refundNo: string;
  orderNo: string;
  amountFen: number;
  reason: string | null;
  origin: Refund['origin'];
  /** The provider's number of a refund that was made elsewhere. */
  refundId: string | null;
  /** RFC 3339: when it was made. */
  at: string | null;
}

const FIRST_CHECK_SECONDS = 30;
const OTHERS = "FROM refunds r WHERE r.order_no = o.order_no AND r.status <> 'closed'";

/**
 * One statement. It locks the row of the order, so that parallel refunds never exceed what was paid. The units are in
 * proportion to the sum of the refunds and rounded down, so that a full refund takes back all that was credited. It makes
 * no refund if the order is not paid, if too little is left, or if the number exists: look for the number then.
 */
export async function acceptRefund(refund: NewRefund, change: MoneyChange | undefined): Promise<void> {
  const { refundNo, orderNo, amountFen: fen, reason, origin, refundId, at } = refund;
  await changeOnce(
    `INSERT INTO refunds (refund_no, order_no, amount_fen, units, reason, origin, provider_refund_id, provider_at,
       next_check_at)
     SELECT ?, o.order_no, ?,
            GREATEST(0, (o.units * (? + (SELECT COALESCE(SUM(r.amount_fen), 0) ${OTHERS}))) DIV o.amount_fen
                        - (SELECT COALESCE(SUM(r.units), 0) ${OTHERS})),
            ?, ?, ?, ?, NOW(3) + INTERVAL ${FIRST_CHECK_SECONDS} SECOND
       FROM recharge_orders o
      WHERE o.order_no = ? AND o.status IN ('paid', 'partial_refund')
        AND ? + (SELECT COALESCE(SUM(r.amount_fen), 0) ${OTHERS}) <= o.amount_fen
        FOR UPDATE`,
    [refundNo, fen, fen, reason, origin, refundId, at === null ? null : sqlTime(at), orderNo, fen],
    change,
  );
}
