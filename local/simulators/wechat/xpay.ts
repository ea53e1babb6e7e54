import { createHmac, randomInt } from 'node:crypto';
import type { AccessTokens } from './access-tokens.ts';
import { bodyOf, type WechatInterface, WechatRefusal } from './answers.ts';
import { WECHAT_PATHS, type WechatPath } from './paths.ts';

/**
 * Virtual payment. Arguments, answers and states of each interface:
 * https://developers.weixin.qq.com/miniprogram/dev/server/API/VirtualPayment/api_query_order, .../api_refund_order and
 * .../api_notify_provide_goods (read on 2026-11-28). An answer with all members, and the text for unknown numbers:
 * https://developers.weixin.qq.com/community/develop/doc/00086804f30f68d81505ff6c063400. That an order counts as refunded
 * from the begin of a refund, and as delivered again after a failed one:
 * https://developers.weixin.qq.com/community/personal/oCJUswxWieRMBWr24A255cXhlYUY/question (both read on 2026-11-28).
 * The pages do not say what a second notify_provide_goods gets: the simulator answers "repeated" (268490004).
 */
export interface XpaySimulatorMerchant {
  appid: string;
  /** 0: real money, 1: the sandbox. */
  env: number;
  appKey: string;
}

/** An order or a refund of one, as query_order answers it. */
export interface XpayRecord {
  order_id: string;
  openid: string;
  status: number;
  /** 0: a payment, 1: a refund, 7: a payment through Apple. */
  order_type: number;
  order_fee: number;
  paid_fee: number;
  left_fee: number;
  refund_fee: number;
  create_time: number;
  update_time: number;
  paid_time: number;
  provide_time: number;
  env_type: number;
  biz_type: number;
  biz_meta: string;
  wx_order_id: string;
  wxpay_order_id: string;
}

export interface Xpay {
  queryOrder: WechatInterface;
  provideGoods: WechatInterface;
  refundOrder: WechatInterface;
  setMerchant(merchant: XpaySimulatorMerchant): void;
  /** Pays as the payer does with `wx.requestVirtualPayment`. No push is sent. Throws an Error for a wrong signature. */
  pay(
    payment: { signData: string; paySig: string },
    payer: { appid: string; openid: string; apple?: boolean },
  ): XpayRecord;
  /** Ends a refund that was started. */
  endRefund(refundNo: string, end: 'success' | 'failed'): void;
  /** undefined: there is no such order or refund. */
  record(number: string): XpayRecord | undefined;
}

const { xpayQuery, xpayProvide, xpayRefund } = WECHAT_PATHS;
const digits = (length: number): string => Array.from({ length }, () => randomInt(10)).join('');

export function createXpay(tokens: Pick<AccessTokens, 'appidOf'>, now: () => number): Xpay {
  const merchants = new Map<string, string>();
  const records = new Map<string, XpayRecord>();
  const seconds = () => Math.floor(now() / 1000);
  const unknown = () => new WechatRefusal(268490002, '数据不存在');

  /** The body of a call with a valid signature over its bytes. */
  function signedBody(path: WechatPath, { query, body }: Parameters<WechatInterface>[0]): Record<string, unknown> {
    const appid = tokens.appidOf(query);
    const content = bodyOf(body);
    const appKey = merchants.get(`${appid} ${content.env}`);
    if (appKey === undefined) throw new WechatRefusal(268490002);
    const expected = createHmac('sha256', appKey).update(`${path}&`).update(body).digest('hex');
    if (query.get('pay_sig') !== expected) throw new WechatRefusal(268490003);
    return content;
  }

  function recordOf({ openid, order_id, env }: Record<string, unknown>, needsPayer = true): XpayRecord {
    const found = records.get(String(order_id));
    if (found?.env_type !== Number(env) + 1) throw unknown();
    if (needsPayer && found.openid !== openid) throw new WechatRefusal(268490001);
    return found;
  }

  function change(record: XpayRecord, status: number, more: Partial<XpayRecord> = {}) {
    Object.assign(record, { status, update_time: seconds(), ...more });
  }

  function startRefund(content: Record<string, unknown>) {
    const { refund_order_id, left_fee, refund_fee, refund_reason, req_from, biz_meta } = content;
    const [number, fee] = [String(refund_order_id), Number(refund_fee)];
    const order = recordOf(content);
    if (records.has(number)) throw new WechatRefusal(268490004);
    if (!/^[\w-]{8,32}$/.test(number) || typeof biz_meta !== 'string') throw new WechatRefusal(268490002);
    if (!/^[0-5]$/.test(String(refund_reason)) || !/^[1-3]$/.test(String(req_from))) throw new WechatRefusal(268490002);
    if (order.order_type !== 0 || ![2, 3, 4, 5].includes(order.status)) throw new WechatRefusal(268490002);
    if (left_fee !== order.left_fee) throw new WechatRefusal(268490016);
    if (!Number.isSafeInteger(fee) || fee < 1 || fee > order.left_fee) throw new WechatRefusal(268490002);
    const refund = {
      ...order,
      order_id: number,
      order_type: 1,
      wx_order_id: `VPR${digits(20)}`,
      refund_fee: fee,
      biz_meta,
    };
    records.set(number, refund);
    change(refund, 5, { left_fee: 0 });
    change(order, 5, { left_fee: order.left_fee - fee });
    refundsOf.set(number, { order, before: order.provide_time > 0 ? 4 : 2 });
    const answer = { refund_order_id: number, refund_wx_order_id: refund.wx_order_id };
    return { errcode: 0, errmsg: 'ok', ...answer, pay_order_id: order.order_id, pay_wx_order_id: order.wx_order_id };
  }
  const refundsOf = new Map<string, { order: XpayRecord; before: number }>();

  return {
    queryOrder(request) {
      const { openid, ...order } = recordOf(signedBody(xpayQuery, request));
      return { errcode: 0, errmsg: 'OK', order };
    },
    provideGoods(request) {
      const order = recordOf(signedBody(xpayProvide, request), false);
      if (order.status === 4) throw new WechatRefusal(268490004);
      if (order.status !== 2 && order.status !== 3) throw new WechatRefusal(268490002);
      change(order, 4, { provide_time: seconds() });
      return { errcode: 0, errmsg: 'ok' };
    },
    refundOrder: (request) => startRefund(signedBody(xpayRefund, request)),
    setMerchant: ({ appid, env, appKey }) => void merchants.set(`${appid} ${env}`, appKey),
    pay({ signData, paySig }, { appid, openid, apple = false }) {
      const { outTradeNo, goodsPrice, buyQuantity, attach, env } = JSON.parse(signData);
      const key = merchants.get(`${appid} ${env}`) ?? '';
      const expected = createHmac('sha256', key).update(`requestVirtualPayment&${signData}`).digest('hex');
      if (paySig !== expected || records.has(outTradeNo)) throw new Error('the payment is not signed, or paid before');
      const fee = goodsPrice * buyQuantity;
      const times = { create_time: seconds(), update_time: seconds(), paid_time: seconds(), provide_time: 0 };
      const fees = { order_fee: fee, paid_fee: fee, left_fee: fee, refund_fee: 0 };
      const wxpay_order_id = apple ? '' : `42000${digits(23)}`;
      const kind = { order_type: apple ? 7 : 0, env_type: env + 1, biz_type: 1000, biz_meta: attach };
      const numbers = { order_id: outTradeNo, openid, wx_order_id: `VPO${digits(20)}`, wxpay_order_id };
      const record = { ...numbers, ...kind, ...fees, ...times, status: 2 };
      records.set(outTradeNo, record);
      return record;
    },
    endRefund(refundNo, end) {
      const [refund, made] = [records.get(refundNo), refundsOf.get(refundNo)];
      if (!refund || !made) throw new Error(`there is no refund ${refundNo}`);
      change(refund, end === 'success' ? 8 : 7);
      const left = made.order.left_fee + (end === 'success' ? 0 : refund.refund_fee);
      change(made.order, left === 0 ? 5 : made.before, { left_fee: left });
    },
    record: (number) => records.get(number),
  };
}
