import { AppError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { madeRefundNumber } from './numbers.ts';
import { findOrder } from './order.ts';
import { acceptRefund } from './refund-accept.ts';
import { findRefund, type Refund, refundsOf } from './refund-record.ts';
import { advanceRefund, recordRefund } from './refund-steps.ts';

/**
 * Refunds that were made at the provider, without a request from here. They are recorded once for each number of the
 * provider, whether a notification or an operator reports them, and their units are taken. No money is sent.
 */

interface MadeRefund {
  orderNo: string;
  refundNo?: string | null;
  reference: string;
  refundFen: number;
  at?: string | null;
  /** The payment that was refunded. null: not told. */
  transactionId?: string | null;
}

/**
 * Records what a notification reports. A second payment of an order was never credited, so its refund takes no units, and
 * is not in the books. Throws NOT_FOUND (the provider has no such order), NOTICE_MISMATCH (not paid here,
 * or more than is left of the payment: a later delivery may fit).
 */
export async function recordMadeRefund(provider: string, made: MadeRefund): Promise<void> {
  const { orderNo, reference: refundId, refundFen: amountFen, at = null, transactionId = null } = made;
  const refundNo = madeRefundNumber(orderNo, refundId);
  const order = await findOrder(orderNo);
  if (order?.provider !== provider) throw new AppError('NOT_FOUND');
  if (transactionId !== null && order.transactionId !== null && transactionId !== order.transactionId)
    return count('recharge.refund-of-second-payment');
  const own = ownRefund(await refundsOf(orderNo), made);
  if (own) return recordRefund(own, { state: 'success', refundId, acceptedAt: null });
  await acceptRefund({ refundNo, orderNo, amountFen, reason: null, origin: 'elsewhere', refundId, at }, undefined);
  const refund = await findRefund(refundNo);
  if (refund?.amountFen === amountFen) return void (await advanceRefund(refund));
  alarm('notification-mismatch', { orderNo, difference: 'refund' });
  throw new AppError('NOTICE_MISMATCH');
}

/**
 * The refund from here that a notification reports. Our number decides if the notification has it, and then no other
 * refund is meant. Without it, WeChat's number; and last a refund that is on its way, of the same amount and without a
 * number of WeChat: taking it for another one would take its units twice.
 */
function ownRefund(refunds: readonly Refund[], { refundNo, reference, refundFen }: MadeRefund): Refund | undefined {
  const own = refunds.filter(({ origin }) => origin === 'here');
  const named = own.find((of) => of.providerRefundId === reference || (refundNo && of.refundNo === refundNo));
  if (named || refundNo) return named;
  if (refunds.some(({ providerRefundId }) => providerRefundId === reference)) return undefined;
  const isOnItsWay = ({ status }: Refund) => status !== 'success' && status !== 'closed';
  return own.find((of) => isOnItsWay(of) && of.amountFen === refundFen && of.providerRefundId === null);
}
