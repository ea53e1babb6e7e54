import { errcodeOf } from '../../wechat/api.ts';
import { callWithToken } from '../../wechat/call.ts';
import { findMiniProgram, type MiniProgram } from '../../wechat/mini-program.ts';
import type { Order } from '../order.ts';
import { payerOpenidOf } from '../payer.ts';
import { type DeliveryReport, type Provider, providerUnavailable } from '../provider.ts';
import { cutTo } from '../text-bound.ts';
import { WECHATPAY_BOUNDS } from './bounds.ts';
import { isTradeManaged } from './trade-managed.ts';

/** The shipping information of an order: its goods are virtual, and were delivered when the units were credited. */
export const shippingOf = (wechatAppid: string): NonNullable<Provider['delivery']> => ({
  isNeeded: async () => isTradeManaged(await programOf(wechatAppid)),
  async report(order) {
    const openid = await payerOpenidOf(order);
    if (openid === null) return { state: 'refused', why: 'payer-unknown' };
    const path = '/wxa/sec/order/upload_shipping_info';
    const answer = await callWithToken(await programOf(wechatAppid), path, shippingInfo(order, openid));
    if (!answer) throw providerUnavailable();
    return reportOf(errcodeOf(answer));
  },
});

/** Its secret is needed: WeChat is called in its name. Throws UNAVAILABLE. */
async function programOf(wechatAppid: string): Promise<MiniProgram> {
  const program = await findMiniProgram(wechatAppid);
  if (!program) throw providerUnavailable();
  return program;
}

const VIRTUAL = 3;
const UNIFIED = 1;
const BY_ORDER_NUMBER = 1;

/** `now`: Unix milliseconds. */
export function shippingInfo(order: Order, openid: string, now = Date.now()) {
  const { orderNo, merchantId, title, productId } = order;
  return {
    order_key: { order_number_type: BY_ORDER_NUMBER, mchid: merchantId, out_trade_no: orderNo },
    logistics_type: VIRTUAL,
    delivery_mode: UNIFIED,
    shipping_list: [{ item_desc: cutTo(title || productId, WECHATPAY_BOUNDS.item_desc) }],
    upload_time: inChina(now),
    payer: { openid },
  };
}

/** RFC 3339, in the form of WeChat's example. */
const inChina = (now: number): string => new Date(now + 8 * 3_600_000).toISOString().replace('Z', '+08:00');

/**
 * WeChat's errcodes for upload_shipping_info. Done: the order has its shipping information, or its money is no longer
 * kept. Refused: a value of it is wrong, and the same order always has the same values. All others may pass: WeChat does
 * not know the payment yet, is busy, or our settings are wrong.
 */
const DONE: ReadonlySet<number> = new Set([
  0,
  10060002, // shipped already
  10060003, // shipped again already
  10060004, // settled
]);
const REFUSED: ReadonlySet<number> = new Set([
  40097, // invalid arguments
  47001, // not the JSON that WeChat expects
  10060005, // kind of logistics
  10060006, // parts of an order that is not sent by a courier
  10060007, // parts without their end
  10060008, // no description
  10060009, // description too long
  10060014, // parameters
  10060031, // the payer is somebody else
  268485216, // time of the upload
  268485224, // list of parcels
]);

function reportOf(errcode: number): DeliveryReport {
  if (DONE.has(errcode)) return { state: 'reported' };
  return { state: REFUSED.has(errcode) ? 'refused' : 'later', why: errcode };
}
