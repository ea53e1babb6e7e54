import { alarm, count } from '../../telemetry.ts';
import { payerOpenidOf } from '../payer.ts';
import type { Payment } from '../payment.ts';
import type { Asked, OrderAtProvider } from '../provider.ts';
import { unusable, type XpayCaller } from './call.ts';
import { queryXpayOrder, STATUS, type XpayOrder } from './order.ts';

const NOT_PAID: readonly number[] = [STATUS.INIT, STATUS.CREATED];
const PAID: readonly number[] = [STATUS.PAID, STATUS.DELIVERING, STATUS.DELIVERED, STATUS.REFUND_FAILED];
export const RETURNED: readonly number[] = [STATUS.REFUNDED, STATUS.REFUND_DONE];

/** What of a payment the merchant and the order decide. */
type Bound = Pick<Payment, 'provider' | 'providerAppId' | 'merchantId'>;

/**
 * The state of an order, for one whose push did not arrive. An order whose payer nobody knows any more cannot be asked
 * for; a push that comes later still credits it. Throws UNAVAILABLE.
 */
export async function askXpay(caller: XpayCaller, bound: Bound, order: OrderAtProvider): Promise<Asked> {
  const { orderNo } = order;
  const openid = await payerOpenidOf(order);
  if (openid === null) {
    count('xpay.payer-unknown');
    return { state: 'open' };
  }
  const found = await queryXpayOrder(caller, orderNo, openid);
  if (!found || NOT_PAID.includes(found.status)) return { state: 'open' };
  if (PAID.includes(found.status)) return { state: 'paid', payment: paymentOf(orderNo, found, bound) };
  if (found.status === STATUS.CLOSED) return { state: 'ended' };
  if (!RETURNED.includes(found.status)) throw unusable('/xpay/query_order', { errcode: `status ${found.status}` });
  // Only orders without a credit are asked for. This one was refunded before: credit no units.
  alarm('refunded-uncredited', { orderNo });
  return { state: 'ended' };
}

const paymentOf = (orderNo: string, found: XpayOrder, bound: Bound): Payment => ({
  ...bound,
  orderNo,
  transactionId: transactionOf(orderNo, found.transactionId),
  amountFen: found.paidFen,
  currency: 'CNY',
  paidAt: found.paidSeconds === null ? null : new Date(found.paidSeconds * 1000).toISOString(),
});

/**
 * One name for a payment, whether a push or a query reports it: WeChat Pay's number, which both have. A payment that was
 * not made through WeChat Pay has none: then the order's own number identifies it.
 */
export const transactionOf = (orderNo: string, transactionId: string | null): string => transactionId ?? orderNo;
