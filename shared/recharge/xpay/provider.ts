import { invalidInput } from '../../errors.ts';
import { openPush, type PushMessage, type PushReceiver, pushEcho } from '../../wechat/push/message.ts';
import { payerOpenidOf } from '../payer.ts';
import type { Provider, ProviderNotification } from '../provider.ts';
import { fits } from '../text-bound.ts';
import { askXpay, transactionOf } from './ask.ts';
import { XPAY_BOUNDS } from './bounds.ts';
import type { XpayCaller } from './call.ts';
import { readXpayEvent, xpayAnswer } from './notification.ts';
import { virtualPayment, XpayInputError } from './payment.ts';
import { provideGoods } from './provide-goods.ts';
import { askXpayRefund, refundXpay, returnedByXpay } from './refund.ts';
import { questionAnswer, questionedPayment } from './refund-question.ts';

/**
 * Virtual payment of mini-programs. WeChat must know the product under the same id and price. WeChat pushes its deliver
 * notification 15 times until it is accepted; an order whose pushes were all lost is found by a query.
 */
export interface XpayMerchant {
  appId: string;
  offerId: string;
  /** 0: real money, 1: WeChat's sandbox. Each has its own appKey. */
  env: 0 | 1;
  appKey: string;
  /** The message push of the mini-program, for a mini-program without push settings of its own. */
  pushToken: string;
  encodingAesKey: string;
}

/** Throws XpayInputError if the settings are unusable. */
export function xpayProvider(config: unknown): Provider {
  const { appId, offerId, env, appKey, pushToken, encodingAesKey } = config as XpayMerchant;
  demand(/^[A-Za-z0-9_-]+$/.test(appId) && fits(appId, XPAY_BOUNDS.appid), 'appId');
  demand(/^[0-9A-Za-z]+$/.test(offerId) && fits(offerId, XPAY_BOUNDS.offerId), 'offerId');
  demand(env === 0 || env === 1, 'env');
  demand(typeof appKey === 'string' && appKey.length > 0, 'appKey');
  demand(/^[A-Za-z0-9]{3,32}$/.test(pushToken), 'pushToken');
  demand(/^[A-Za-z0-9]{43}$/.test(encodingAesKey), 'encodingAesKey');
  const push: PushReceiver = { wechatAppid: appId, token: pushToken, encodingAesKey };
  const caller: XpayCaller = { appId, env, appKey };
  const bound = { provider: 'xpay', providerAppId: appId, merchantId: offerId };
  const readPush = (message: PushMessage): ProviderNotification => readEvent(message, bound, env);
  return {
    name: 'xpay',
    providerAppId: appId,
    merchantId: offerId,
    refunds: true,
    terms: ({ wechatOpenid }) => ({ payerOpenid: wechatOpenid, notifyUrl: null }),

    async prepare({ orderNo, amountFen, productId }, { wechatSessionKey }) {
      if (wechatSessionKey === undefined) throw invalidInput({ path: 'code', message: 'expected a code of wx.login' });
      const attach = orderNo;
      const order = {
        kind: 'goods',
        outTradeNo: orderNo,
        quantity: 1,
        productId,
        priceFen: amountFen,
        attach,
      } as const;
      return { ...virtualPayment({ offerId, env, appKey }, order, wechatSessionKey) };
    },

    ask: (order) => askXpay(caller, bound, order),
    // WeChat has no order before the payment, and cannot close one. What is paid after this is still credited.
    close: async () => 'closed',
    refund: (refund) => refundXpay(caller, refund),
    askRefund: (refundNo, order) => askXpayRefund(caller, refundNo, order),
    returned: (order) => returnedByXpay(caller, order),
    knowsPayer: async (order) => (await payerOpenidOf(order)) !== null,
    delivery: provideGoods(caller),
    push: { secrets: push, read: readPush },
    readNotification: (notification, nowSeconds) => readPush(openPush(notification, push, nowSeconds)),
    echo: (query, nowSeconds) => pushEcho(query, pushToken, nowSeconds),
  };
}

function readEvent(
  message: PushMessage,
  bound: { provider: string; providerAppId: string; merchantId: string },
  env: 0 | 1,
): ProviderNotification {
  const { body, format } = message;
  const payment = questionedPayment(body);
  if (payment !== null) return { kind: 'question', payment, answer: (advice) => questionAnswer(message, advice) };
  const answer = xpayAnswer(format);
  const event = readXpayEvent(body, env);
  if (!event || event.trial) return { kind: 'nothing', answer };
  if (event.event === 'xpay_refund_notify') {
    const { outTradeNo: orderNo, mchRefundId: refundNo, wxRefundId: reference, refundFen, succeeded } = event;
    // After a failed one the sweeper asks for its state.
    return succeeded
      ? { kind: 'refunded', orderNo, refundNo, reference, refundFen, answer }
      : { kind: 'nothing', answer };
  }
  const { outTradeNo: orderNo, actualPriceFen: amountFen } = event;
  const transactionId = transactionOf(orderNo, event.transactionId);
  return {
    kind: 'payment',
    payment: { ...bound, orderNo, transactionId, amountFen, currency: 'CNY', paidAt: null },
    answer,
  };
}

function demand(holds: boolean, path: string): asserts holds {
  if (!holds) throw new XpayInputError(path);
}
