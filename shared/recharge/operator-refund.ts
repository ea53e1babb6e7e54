import { query } from '../db.ts';
import { AppError } from '../errors.ts';
import { findOrder, isPaid, type Order } from './order.ts';
import { leftFen as leftOf, refundsOf } from './refund-record.ts';

/** A refund as an operator asks for it: the same command typed twice refunds once. */
export interface RefundPlan {
  order: Order;
  amountFen: number;
  /** What can still be refunded before this refund. */
  leftFen: number;
  /** The idempotency key of requestRefund. */
  key: string;
}

/**
 * `amountFen` undefined: all that is left. Without a `key`, a refund of the same amount of the same order within a day
 * is taken for a repetition, unless `again`. The key is derived from the refunds that exist, so two operators who type
 * the same command at the same time make one refund; with `again` each of them may make one. Throws NOT_FOUND,
 * INVALID_INPUT.
 */
export async function planRefund(wanted: {
  orderNo: string;
  amountFen?: number | undefined;
  key?: string | undefined;
  again?: boolean;
}): Promise<RefundPlan> {
  const { orderNo, again = false } = wanted;
  const order = await findOrder(orderNo);
  if (!order) throw new AppError('NOT_FOUND', `There is no order ${orderNo}.`);
  const leftFen = leftOf(order, await refundsOf(orderNo));
  const amountFen = wanted.amountFen ?? leftFen;
  if (amountFen < 1) throw new AppError('INVALID_INPUT', `Nothing is left to refund of order ${orderNo}.`);
  if (wanted.key !== undefined) return { order, amountFen, leftFen, key: wanted.key };
  if (!isPaid(order)) throw new AppError('INVALID_INPUT', `Order ${orderNo} is ${order.status}: nothing was refunded.`);
  if (amountFen > leftFen)
    throw new AppError(
      'INVALID_INPUT',
      `Only ${leftFen} fen of order ${orderNo} are left to refund: nothing was done.`,
    );

  const { count, recent } = await sameRefunds(orderNo, amountFen);
  if (recent !== undefined && !again) {
    throw new AppError(
      'INVALID_INPUT',
      `Refund ${recent} of ${amountFen} fen of this order was made within the last 24 h: nothing was done. --again makes one more.`,
    );
  }
  return { order, amountFen, leftFen, key: `operator:${amountFen}:${count}` };
}

/** Refunds of this amount: their number, and one of the last 24 h that was not closed, by the clock of MySQL. */
async function sameRefunds(orderNo: string, amountFen: number): Promise<{ count: number; recent: string | undefined }> {
  const rows = await query(
    `SELECT refund_no, status <> 'closed' AND created_at > NOW(3) - INTERVAL 24 HOUR AS recent
       FROM refunds WHERE order_no = ? AND amount_fen = ? ORDER BY created_at DESC, refund_no`,
    [orderNo, amountFen],
  );
  const recent = rows.find((row) => Number(row.recent) === 1);
  return { count: rows.length, recent: recent && String(recent.refund_no) };
}
