import type { XpayRecord } from './xpay.ts';

/**
 * What WeChat pushes about virtual payment, for makePush(). The members of each event:
 * https://developers.weixin.qq.com/miniprogram/dev/platform-capabilities/business-capabilities/virtual-payment.html. The
 * question about a refund at Apple, as somebody received it:
 * https://developers.weixin.qq.com/community/develop/doc/000224bdbc4a98d8f3d46f0da66800 (both read on 2026-11-28).
 */
const event = (name: string, atSeconds: number) => ({
  ToUserName: 'gh_0123456789ab',
  FromUserName: 'oXbmc0abcdefghijklmnopqrstuv',
  CreateTime: atSeconds,
  MsgType: 'event',
  Event: name,
});

/** A payment through Apple has no number of WeChat Pay. */
export const deliverEvent = (order: XpayRecord, productId: string) => ({
  ...event('xpay_goods_deliver_notify', order.paid_time),
  OpenId: order.openid,
  OutTradeNo: order.order_id,
  Env: order.env_type - 1,
  ...(order.wxpay_order_id !== '' && {
    WeChatPayInfo: { TransactionId: order.wxpay_order_id, PaidTime: order.paid_time },
  }),
  GoodsInfo: {
    ProductId: productId,
    Quantity: 1,
    OrigPrice: order.order_fee,
    ActualPrice: order.paid_fee,
    Attach: order.biz_meta,
  },
});

export const refundEvent = (order: XpayRecord, refund: XpayRecord, retCode = 0) => ({
  ...event('xpay_refund_notify', refund.update_time),
  OpenId: order.openid,
  WxRefundId: refund.wx_order_id,
  MchRefundId: refund.order_id,
  WxOrderId: order.wx_order_id,
  MchOrderId: order.order_id,
  RefundFee: refund.refund_fee,
  RetCode: retCode,
  RetMsg: retCode === 0 ? 'success' : 'failed',
  RefundStartTimestamp: refund.update_time,
  RefundSuccTimestamp: refund.update_time,
});

/** `pay_order_id` is our number of the order. */
export const refundQuestion = (orderNo: string, productId: string, atSeconds: number) => ({
  ...event('xpay_subscribe_ios_refund_query_notify', atSeconds),
  bundleid: 'com.tencent.xin',
  channel_bill: '',
  consumption_status: '0',
  order_time: String(atSeconds - 3_600),
  p_count: '1',
  pay_order_id: orderNo,
  product_id: productId,
  provide_status: '1',
  refund_request_reason: 'UNINTENDED_PURCHASE',
  refund_time: String(atSeconds),
  service_type: 'unipdt',
});
