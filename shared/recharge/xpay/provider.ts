import { AppError, invalidInput } from '../../errors.ts';
import { alarm, count } from '../../telemetry.ts';
import type { Provider, RawNotification } from '../provider.ts';
import { deliverAnswer, openPush, type PushConfig, pushEcho, XpayNotificationRefused } from './notification.ts';
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
  /** The message push: format JSON, encrypted mode, because in plain mode the signature does not cover the body. */
  pushToken: string;
  encodingAesKey: string;
}

/** Throws XpayInputError if the settings are unusable. */
export function xpayProvider(config: unknown): Provider {
  const { appId, offerId, env, appKey, pushToken, encodingAesKey } = config as XpayMerchant;
  demand(/^[A-Za-z0-9_-]{1,32}$/.test(appId), 'appId');
  demand(/^[0-9A-Za-z]{1,64}$/.test(offerId), 'offerId');
  demand(env === 0 || env === 1, 'env');
  demand(typeof appKey === 'string' && appKey.length > 0, 'appKey');
  demand(/^[A-Za-z0-9]{3,32}$/.test(pushToken), 'pushToken');
  demand(/^[A-Za-z0-9]{43}$/.test(encodingAesKey), 'encodingAesKey');
  const push: PushConfig = { appId, token: pushToken, encodingAesKey, env };
  return {
    name: 'xpay',
    providerAppId: appId,
    merchantId: offerId,
    refunds: false,

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
    refund: async () => 'success',
    readNotification: (notification, nowSeconds) =>
      refusingAsOurs(() => readPush(notification, push, offerId, nowSeconds)),
    echo: (query, nowSeconds) => refusingAsOurs(() => pushEcho(query, pushToken, nowSeconds)),
  };
}

function readPush({ query, body }: RawNotification, push: PushConfig, offerId: string, nowSeconds: number) {
  const answer = JSON.parse(deliverAnswer) as object;
  const delivery = openPush(query, body, push, nowSeconds);
  if (!delivery || delivery.trial) return { kind: 'nothing', answer } as const;
  if (delivery.event === 'xpay_refund_notify') {
    const { outTradeNo: orderNo, wxRefundId: reference, refundFen, succeeded } = delivery;
    return succeeded
      ? ({ kind: 'refunded', orderNo, reference, refundFen, answer } as const)
      : ({ kind: 'nothing', answer } as const);
  }
  const { outTradeNo: orderNo, transactionId, actualPriceFen: amountFen } = delivery;
  const bound = { provider: 'xpay', providerAppId: push.appId, merchantId: offerId, orderNo, amountFen };
  // Not paid through WeChat Pay: only the order's own number identifies the payment.
  const payment = { ...bound, transactionId: transactionId ?? orderNo, currency: 'CNY', paidAt: null };
  return { kind: 'payment', payment, answer } as const;
}

function refusingAsOurs<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof XpayNotificationRefused)) throw error;
    count(`xpay.notification.${error.reason}`);
    if (error.reason === 'PLAIN_REFUSED') alarm('xpay-push-not-encrypted');
    throw new AppError('BAD_NOTIFY_SIGNATURE');
  }
}

function demand(holds: boolean, path: string): asserts holds {
  if (!holds) throw new XpayInputError(path);
}
