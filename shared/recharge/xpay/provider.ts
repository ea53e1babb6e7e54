import { invalidInput } from '../../errors.ts';
import { openPush, type PushMessage, type PushReceiver, pushEcho } from '../../wechat/push/message.ts';
import { NO_TERMS, type Provider, type ProviderNotification } from '../provider.ts';
import { fits } from '../text-bound.ts';
import { XPAY_BOUNDS } from './bounds.ts';
import { readXpayEvent, xpayAnswer } from './notification.ts';
import { virtualPayment, XpayInputError } from './payment.ts';

/**
 * Virtual payment of mini-programs. WeChat must know the product under the same id and price. WeChat has no order
 * before the payment, and pushes its deliver notification until it is accepted. So an order cannot be queried or
 * closed.
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
  const readPush = (message: PushMessage): ProviderNotification => readEvent(message, { appId, offerId, env });
  return {
    name: 'xpay',
    providerAppId: appId,
    merchantId: offerId,
    refunds: false,
    terms: () => NO_TERMS,

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

    ask: async () => ({ state: 'open' }),
    close: async () => 'closed',
    // A refund exists here only after WeChat has reported that the money was returned.
    refund: async () => REFUNDED,
    askRefund: async () => REFUNDED,
    push: { secrets: push, read: readPush },
    readNotification: (notification, nowSeconds) => readPush(openPush(notification, push, nowSeconds)),
    echo: (query, nowSeconds) => pushEcho(query, pushToken, nowSeconds),
  };
}

const REFUNDED = { state: 'success', refundId: null, acceptedAt: null } as const;

function readEvent(
  { body, format }: PushMessage,
  { appId, offerId, env }: Pick<XpayMerchant, 'appId' | 'offerId' | 'env'>,
) {
  const answer = xpayAnswer(format);
  const event = readXpayEvent(body, env);
  if (!event || event.trial) return { kind: 'nothing', answer } as const;
  if (event.event === 'xpay_refund_notify') {
    const { outTradeNo: orderNo, wxRefundId: reference, refundFen, succeeded } = event;
    return succeeded
      ? ({ kind: 'refunded', orderNo, reference, refundFen, answer } as const)
      : ({ kind: 'nothing', answer } as const);
  }
  const { outTradeNo: orderNo, transactionId, actualPriceFen: amountFen } = event;
  const bound = { provider: 'xpay', providerAppId: appId, merchantId: offerId, orderNo, amountFen };
  // Not paid through WeChat Pay: only the order's own number identifies the payment.
  const payment = { ...bound, transactionId: transactionId ?? orderNo, currency: 'CNY', paidAt: null };
  return { kind: 'payment', payment, answer } as const;
}

function demand(holds: boolean, path: string): asserts holds {
  if (!holds) throw new XpayInputError(path);
}
