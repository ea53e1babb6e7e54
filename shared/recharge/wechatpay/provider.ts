import { AppError, invalidInput } from '../../errors.ts';
import { alarm, count } from '../../telemetry.ts';
import type { Payment } from '../payment.ts';
import {
  type Asked,
  NotificationUnusable,
  type OrderAtProvider,
  type Payer,
  type Provider,
  providerUnavailable,
  type ReportedRefund,
} from '../provider.ts';
import { cutTo } from '../text-bound.ts';
import { readTradeBill } from './bill.ts';
import { WECHATPAY_BOUNDS } from './bounds.ts';
import { createWechatPay } from './client.ts';
import {
  WechatPayInputError,
  WechatPayNotificationRefused,
  WechatPayOutcomeUnknown,
  WechatPayRefused,
} from './error.ts';
import type { WechatPayConfig } from './input.ts';
import type { PaidTransaction, WechatRefund } from './record.ts';
import { refusalOfRefund } from './refund-refusal.ts';
import { sendToWechatPay } from './send.ts';
import { shippingOf } from './shipping.ts';

/** WeChat Pay v3 as a Provider: WeChat's refusals become errors that our callers can handle. */
/** Throws WechatPayInputError if the settings are unusable. */
export function wechatpayProvider(config: unknown, nowSeconds?: () => number): Provider {
  const settings = config as WechatPayConfig;
  const pay = createWechatPay(settings, sendToWechatPay, nowSeconds);
  const now = nowSeconds ?? (() => Math.floor(Date.now() / 1000));
  const { appId, mchId } = settings;
  const paymentOf = (transaction: PaidTransaction): Payment => ({
    provider: 'wechatpay',
    providerAppId: appId,
    merchantId: mchId,
    orderNo: transaction.outTradeNo,
    transactionId: transaction.transactionId,
    amountFen: transaction.totalFen,
    currency: transaction.currency,
    paidAt: transaction.paidAt,
  });
  const ask = async ({ orderNo }: OrderAtProvider): Promise<Asked> => {
    try {
      const transaction = await pay.queryOrder(orderNo);
      // Only orders without a credit are asked for. This one was refunded at WeChat's console: credit no units.
      if (transaction.paid && transaction.tradeState === 'REFUND') {
        alarm('refunded-uncredited', { orderNo });
        return { state: 'ended' };
      }
      if (transaction.paid) return { state: 'paid', payment: paymentOf(transaction) };
      return { state: ENDED.has(transaction.tradeState) ? 'ended' : 'open' };
    } catch (error) {
      // The order exists here, and its prepay never reached WeChat. An unsigned answer would not prove this.
      if (error instanceof WechatPayRefused && error.code === 'ORDER_NOT_EXIST' && error.signed)
        return { state: 'open' };
      throw refusalOf(error);
    }
  };
  return {
    name: 'wechatpay',
    providerAppId: appId,
    merchantId: mchId,
    refunds: true,
    ask,
    delivery: shippingOf(appId),

    terms: (payer) => ({ payerOpenid: openidOf(payer), notifyUrl: settings.notifyUrl }),

    async prepare({ orderNo, amountFen, expiresAt, title, payerOpenid, notifyUrl }, payer) {
      const expiresAtSeconds = Math.floor(Date.parse(expiresAt) / 1000);
      if (expiresAtSeconds <= now()) return null;
      const openid = payerOpenid ?? openidOf(payer);
      const description = cutTo(title, WECHATPAY_BOUNDS.description);
      const order = { outTradeNo: orderNo, amountFen, openid, description, expiresAtSeconds };
      try {
        const prepayId = await pay.prepay({ ...order, ...(notifyUrl !== null && { notifyUrl }) });
        return { ...pay.payment(prepayId, now(), crypto.randomUUID().replaceAll('-', '')) };
      } catch (error) {
        if (error instanceof WechatPayRefused && NOT_PAYABLE.has(error.code)) return null;
        throw refusalOf(error);
      }
    },

    async close(orderNo) {
      try {
        await pay.closeOrder(orderNo);
        return 'closed';
      } catch (error) {
        if (error instanceof WechatPayRefused && error.code === 'ORDERPAID') return 'paid';
        if (error instanceof WechatPayRefused && error.code === 'ORDER_NOT_EXIST' && error.signed) return 'closed';
        throw refusalOf(error);
      }
    },

    async refund({ refundNo, orderNo, refundFen, totalFen, reason }) {
      const order = { outTradeNo: orderNo, outRefundNo: refundNo, refundFen, totalFen };
      try {
        // A reason of a former release may be longer.
        const text = reason === null ? {} : { reason: cutTo(reason, WECHATPAY_BOUNDS.reason) };
        return reportOf(await pay.refund({ ...order, ...text }));
      } catch (error) {
        if (!(error instanceof WechatPayRefused && error.signed)) throw refusalOf(error);
        const refused = refusalOfRefund(error.code);
        if (!refused.final) reportFault(error);
        return refused;
      }
    },

    async askRefund(refundNo) {
      try {
        return reportOf(await pay.queryRefund(refundNo));
      } catch (error) {
        if (error instanceof WechatPayRefused && error.code === 'RESOURCE_NOT_EXISTS' && error.signed) return null;
        throw refusalOf(error);
      }
    },

    async madeRefund(number) {
      try {
        const refund = await pay.queryRefund(number);
        const { outTradeNo: orderNo, transactionId, refundFen, refundId } = refund;
        return { ...reportOf(refund), refundId, orderNo, transactionId, refundFen };
      } catch (error) {
        if (error instanceof WechatPayRefused && error.code === 'RESOURCE_NOT_EXISTS' && error.signed) return null;
        throw refusalOf(error);
      }
    },

    async returned({ orderNo, transactionId = null }) {
      try {
        const paid = await pay.queryOrder(orderNo);
        // Of a second payment, which was never credited, nothing is in the books.
        const isOurs = paid.paid && (transactionId === null || paid.transactionId === transactionId);
        return isOurs && paid.tradeState === 'REFUND' ? 'some' : 0;
      } catch (error) {
        if (error instanceof WechatPayRefused && error.code === 'ORDER_NOT_EXIST' && error.signed) return 0;
        throw refusalOf(error);
      }
    },

    async bill(day) {
      try {
        const text = await pay.tradeBill(day);
        return text === null ? null : readTradeBill(Buffer.from(text), { day, merchantId: mchId });
      } catch (error) {
        throw refusalOf(error);
      }
    },

    readNotification({ headers, body }, receivedSeconds) {
      try {
        const notification = pay.verifyNotification(headers, body, receivedSeconds);
        if (notification.kind === 'refund') {
          const { outRefundNo: refundNo, outTradeNo: orderNo, transactionId, refundFen } = notification.refund;
          const { state, refundId } = reportOf(notification.refund);
          const at = notification.refund.refundedAt;
          return { kind: 'refund', refundNo, orderNo, transactionId, refundFen, state, refundId, at };
        }
        if (notification.kind === 'other' || !notification.transaction.paid) return { kind: 'nothing' };
        return { kind: 'payment', payment: paymentOf(notification.transaction) };
      } catch (error) {
        if (!(error instanceof WechatPayNotificationRefused)) throw error;
        count(`wechatpay.notification.${error.reason}`);
        throw error.authentic ? new NotificationUnusable(error.reason) : new AppError('BAD_NOTIFY_SIGNATURE');
      }
    },
  };
}

function openidOf({ wechatOpenid }: Payer): string {
  if (wechatOpenid !== null) return wechatOpenid;
  throw invalidInput({ path: 'provider', message: 'expected a user who logged in by WeChat' });
}

const ENDED: ReadonlySet<string> = new Set(['CLOSED', 'REVOKED', 'PAYERROR']);
const NOT_PAYABLE: ReadonlySet<string> = new Set(['ORDERPAID', 'ORDER_CLOSED', 'OUT_TRADE_NO_USED']);

const STATES = { SUCCESS: 'success', CLOSED: 'closed', PROCESSING: 'processing', ABNORMAL: 'abnormal' } as const;
const reportOf = ({ status, refundId, createdAt }: WechatRefund): ReportedRefund => ({
  state: STATES[status],
  refundId,
  acceptedAt: createdAt,
});

/** A caller can only try again. Faults that a person has to correct are reported as alarms. */
function refusalOf(error: unknown): unknown {
  if (error instanceof WechatPayOutcomeUnknown) {
    // One alone may be a test by WeChat. If all answers are like this, a platform key of the settings is out of date.
    if (error.code === 'BAD_SIGNATURE') alarm('wechatpay-untrusted');
    return providerUnavailable();
  }
  if (error instanceof WechatPayRefused) {
    reportFault(error);
    return providerUnavailable();
  }
  if (error instanceof WechatPayInputError) {
    alarm('wechatpay-input', { path: error.path });
    return providerUnavailable();
  }
  return error;
}

function reportFault({ code, retryable }: WechatPayRefused): void {
  if (!retryable) alarm('wechatpay-refused', { code });
}
