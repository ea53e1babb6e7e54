import { alarm } from '../../telemetry.ts';
import { errcodeOf } from '../../wechat/api.ts';
import { payerOpenidOf } from '../payer.ts';
import {
  type OrderAtProvider,
  type ProviderRefund,
  providerUnavailable,
  type RefusedRefund,
  type ReportedRefund,
} from '../provider.ts';
import { cutTo } from '../text-bound.ts';
import { RETURNED } from './ask.ts';
import { XPAY_BOUNDS } from './bounds.ts';
import { callXpay, isUnknown, XPAY, type XpayCaller } from './call.ts';
import { queryXpayOrder, STATUS, type XpayOrder } from './order.ts';
import { refusalOfRefund } from './refund-refusal.ts';

/** Refunds of virtual payment. WeChat only starts a task: its state is that of an order with the number of the refund. */

const PATH = '/xpay/refund_order';
const refused = (code: RefusedRefund['code'], final: boolean): RefusedRefund => ({ state: 'refused', code, final });

/** Throws UNAVAILABLE: it is not known whether WeChat took it. */
export async function refundXpay(caller: XpayCaller, refund: ProviderRefund): Promise<ReportedRefund | RefusedRefund> {
  const { orderNo, refundNo, refundFen, reason } = refund;
  const openid = await payerOpenidOf(refund);
  if (openid === null) throw providerUnavailable();
  const order = await queryXpayOrder(caller, orderNo, openid);
  if (!order) return refused('order-unknown', true);
  if (order.isApple) return refused('at-apple', true);
  // Less is left than the books say: our own earlier request may be the reason, so this is never final.
  if (order.leftFen < refundFen)
    return (await askXpayRefund(caller, refundNo, refund)) ?? refused('not-allowed', false);
  const answer = await callXpay(caller, PATH, {
    openid,
    order_id: orderNo,
    refund_order_id: refundNo,
    left_fee: order.leftFen,
    refund_fee: refundFen,
    biz_meta: cutTo(reason ?? '', XPAY_BOUNDS.bizMeta),
    // Other reasons, asked for by somebody else than the payer.
    refund_reason: '5',
    req_from: '3',
  });
  const errcode = errcodeOf(answer);
  if (errcode === XPAY.OK) return started(answer.refund_wx_order_id);
  if (errcode === XPAY.REPEATED) return started(undefined);
  if (errcode === XPAY.BUSY || errcode === XPAY.REFUND_RUNS) throw providerUnavailable();
  if (isUnknown(answer)) return refused('order-unknown', true);
  const refusal = refusalOfRefund(errcode);
  if (!refusal.final && errcode !== XPAY.TOO_OFTEN) alarm('xpay-refused', { path: PATH, errcode });
  return refusal;
}

const started = (refundId: unknown): ReportedRefund => ({
  state: 'processing',
  refundId: typeof refundId === 'string' && refundId !== '' ? refundId : null,
  acceptedAt: null,
});

/** null: WeChat certainly knows no refund of this number. Throws UNAVAILABLE. */
export async function askXpayRefund(
  caller: XpayCaller,
  refundNo: string,
  order: OrderAtProvider,
): Promise<ReportedRefund | null> {
  const openid = await payerOpenidOf(order);
  if (openid === null) throw providerUnavailable();
  const found = await queryXpayOrder(caller, refundNo, openid);
  return found && { state: stateOf(found), refundId: found.wxOrderId, acceptedAt: null };
}

const DAY_SECONDS = 86_400;

/** WeChat writes "refunded" when the task begins, and changes it within an hour if the refund fails. So it has to last. */
function stateOf(
  { status, updatedSeconds }: XpayOrder,
  nowSeconds = Math.floor(Date.now() / 1000),
): ReportedRefund['state'] {
  if (status === STATUS.REFUND_DONE) return 'success';
  if (status === STATUS.REFUND_FAILED || status === STATUS.CLOSED) return 'closed';
  return status === STATUS.REFUNDED && nowSeconds - updatedSeconds > DAY_SECONDS ? 'success' : 'processing';
}

/** How much of an order was returned. Throws UNAVAILABLE. */
export async function returnedByXpay(caller: XpayCaller, order: OrderAtProvider): Promise<number> {
  const openid = await payerOpenidOf(order);
  if (openid === null) throw providerUnavailable();
  const found = await queryXpayOrder(caller, order.orderNo, openid);
  if (!found) return 0;
  if (found.leftFen < found.paidFen) return found.paidFen - found.leftFen;
  return RETURNED.includes(found.status) ? found.paidFen : 0;
}
