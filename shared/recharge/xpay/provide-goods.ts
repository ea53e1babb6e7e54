import { errcodeOf } from '../../wechat/api.ts';
import { payerOpenidOf } from '../payer.ts';
import type { DeliveryReport, Provider } from '../provider.ts';
import { callXpay, XPAY, type XpayCaller } from './call.ts';
import { queryXpayOrder, STATUS } from './order.ts';

/**
 * Tells WeChat that the goods of an order were delivered, after a credit that no push reported:
 * https://developers.weixin.qq.com/miniprogram/dev/server/API/VirtualPayment/api_notify_provide_goods (read on
 * 2026-11-28). The page names no errcode for an order that is delivered already, so the order is asked for then.
 */
export const provideGoods = (caller: XpayCaller): NonNullable<Provider['delivery']> => ({
  isNeeded: async () => true,
  async report(order): Promise<DeliveryReport> {
    const answer = await callXpay(caller, '/xpay/notify_provide_goods', { order_id: order.orderNo });
    const errcode = errcodeOf(answer);
    if (errcode === XPAY.OK || errcode === XPAY.REPEATED) return { state: 'reported' };
    const openid = await payerOpenidOf(order);
    const known = openid === null ? null : await queryXpayOrder(caller, order.orderNo, openid);
    return known && SETTLED.includes(known.status) ? { state: 'reported' } : { state: 'later', why: errcode };
  },
});

/** Nothing is left to be delivered. */
const SETTLED: readonly number[] = [STATUS.DELIVERED, STATUS.REFUNDED, STATUS.REFUND_DONE];
