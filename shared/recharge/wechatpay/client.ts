import { createHash } from 'node:crypto';
import { member, text } from '../../foreign-input.ts';
import { demand, WechatPayOutcomeUnknown, WechatPayRefused } from './error.ts';
import { type Http, openExchange } from './exchange.ts';
import {
  beijingTime,
  checkConfig,
  checkPrepay,
  checkRefund,
  isOutRefundNo,
  isOutTradeNo,
  isUnixSeconds,
  matches,
  type PrepayOrder,
  type RefundOrder,
  type WechatPayConfig,
} from './input.ts';
import { type Notification, openNotification } from './notification.ts';
import { readRefund, readTransaction, type WechatRefund, type WechatTransaction } from './record.ts';
import { type HttpHeaders, readMerchantKey, readPlatformKeys, signRsa } from './signature.ts';

/** The argument of `wx.requestPayment`. */
interface MiniProgramPayment {
  readonly timeStamp: string;
  readonly nonceStr: string;
  readonly package: string;
  readonly signType: 'RSA';
  readonly paySign: string;
}

/** All calls throw only WechatPayInputError, WechatPayRefused or WechatPayOutcomeUnknown. */
export interface WechatPay {
  /** Returns the prepay_id. */
  prepay(order: PrepayOrder): Promise<string>;
  payment(prepayId: string, nowSeconds: number, nonce: string): MiniProgramPayment;
  /** Throws WechatPayRefused ORDER_NOT_EXIST for an order that WeChat does not know. */
  queryOrder(outTradeNo: string): Promise<WechatTransaction>;
  /** It may be repeated. Throws WechatPayRefused ORDERPAID if the order was paid: credit it. */
  closeOrder(outTradeNo: string): Promise<void>;
  /** An accepted refund is not yet refunded: read the state in the answer, the notification or `queryRefund`. */
  refund(refund: RefundOrder): Promise<WechatRefund>;
  queryRefund(outRefundNo: string): Promise<WechatRefund>;
  /** The trade bill (type ALL) of a day in China time, available from 10:00 of the next day. null: it is empty. */
  tradeBill(day: string): Promise<string | null>;
  /** Synchronous, without a request. Throws only WechatPayNotificationRefused. */
  verifyNotification(headers: HttpHeaders, rawBody: Buffer, nowSeconds: number): Notification;
}

/** WeChat Pay v3 for a mini-program merchant. Throws WechatPayInputError if the configuration is unusable. */
export function createWechatPay(
  config: WechatPayConfig,
  http: Http,
  nowSeconds: () => number = () => Math.floor(Date.now() / 1000),
): WechatPay {
  checkConfig(config);
  const { appId, mchId, apiV3Key, baseUrl, notifyUrl } = config;
  const merchantKey = readMerchantKey(config.merchantPrivateKeyPem);
  const keys = readPlatformKeys(config.platformKeys);
  const { call, exchange } = openExchange({ config, merchantKey, keys }, http, nowSeconds);

  return {
    async prepay(order) {
      checkPrepay(order, nowSeconds());
      const answer = await call('POST', '/v3/pay/transactions/jsapi', {
        appid: appId,
        mchid: mchId,
        description: order.description,
        out_trade_no: order.outTradeNo,
        time_expire: beijingTime(order.expiresAtSeconds),
        notify_url: order.notifyUrl ?? notifyUrl,
        amount: { total: order.amountFen, currency: 'CNY' },
        payer: { openid: order.openid },
      });
      const prepayId = text(member(answer, 'prepay_id'));
      if (prepayId === null) throw new WechatPayOutcomeUnknown('BAD_ANSWER');
      return prepayId;
    },

    payment(prepayId, now, nonce) {
      demand(matches(prepayId, /^[!-~]{1,128}$/), 'prepayId');
      demand(isUnixSeconds(now), 'nowSeconds');
      demand(matches(nonce, /^[A-Za-z0-9]{1,32}$/), 'nonce');
      const packaged = `prepay_id=${prepayId}`;
      const paySign = signRsa(merchantKey, `${appId}\n${now}\n${nonce}\n${packaged}\n`);
      return { timeStamp: String(now), nonceStr: nonce, package: packaged, signType: 'RSA', paySign };
    },

    async queryOrder(outTradeNo) {
      demand(isOutTradeNo(outTradeNo), 'outTradeNo');
      const answer = await call('GET', `${orderPath(outTradeNo)}?mchid=${mchId}`);
      const transaction = readTransaction(answer, { appId, mchId });
      // The signature does not cover the question, so the answer has to name the order.
      if (transaction?.outTradeNo !== outTradeNo) throw new WechatPayOutcomeUnknown('BAD_ANSWER');
      return transaction;
    },

    async closeOrder(outTradeNo) {
      demand(isOutTradeNo(outTradeNo), 'outTradeNo');
      try {
        await call('POST', `${orderPath(outTradeNo)}/close`, { mchid: mchId });
      } catch (error) {
        if (!(error instanceof WechatPayRefused && error.code === 'ORDER_CLOSED')) throw error;
      }
    },

    async refund(order) {
      checkRefund(order);
      const answer = await call('POST', '/v3/refund/domestic/refunds', {
        out_trade_no: order.outTradeNo,
        out_refund_no: order.outRefundNo,
        ...(order.reason === undefined ? {} : { reason: order.reason }),
        notify_url: notifyUrl,
        amount: { refund: order.refundFen, total: order.totalFen, currency: 'CNY' },
      });
      const refund = readRefund(answer, 'status');
      const same = refund?.outRefundNo === order.outRefundNo && refund.outTradeNo === order.outTradeNo;
      const amountFits = refund?.refundFen === order.refundFen && refund.totalFen === order.totalFen;
      if (!same || !amountFits) throw new WechatPayOutcomeUnknown('BAD_ANSWER');
      return refund;
    },

    async queryRefund(outRefundNo) {
      demand(isOutRefundNo(outRefundNo), 'outRefundNo');
      const answer = await call('GET', `/v3/refund/domestic/refunds/${encodeURIComponent(outRefundNo)}`);
      const refund = readRefund(answer, 'status');
      if (refund?.outRefundNo !== outRefundNo) throw new WechatPayOutcomeUnknown('BAD_ANSWER');
      return refund;
    },

    async tradeBill(day) {
      demand(matches(day, /^\d{4}-\d\d-\d\d$/), 'day');
      let answer: object | null;
      try {
        answer = await call('GET', `/v3/bill/tradebill?bill_date=${day}&bill_type=ALL`);
      } catch (error) {
        if (error instanceof WechatPayRefused && error.code === 'NO_STATEMENT_EXIST') return null;
        throw error;
      }
      const address = member(answer, 'download_url');
      const hash = text(member(answer, 'hash_value'));
      // Even a signed answer must not send us to another host.
      const isOurs = typeof address === 'string' && URL.canParse(address) && new URL(address).origin === baseUrl;
      if (!isOurs || hash === null) throw new WechatPayOutcomeUnknown('BAD_ANSWER');
      const { pathname, search } = new URL(address);
      const { status, body } = await exchange('GET', pathname + search);
      // The download has no signature, but the signed answer held its hash.
      const isWhole = status === 200 && createHash('sha1').update(body).digest('hex') === hash.toLowerCase();
      if (!isWhole) throw new WechatPayOutcomeUnknown('BAD_ANSWER');
      return body.toString('utf8');
    },

    verifyNotification: (headers, rawBody, now) =>
      openNotification(headers, rawBody, now, { appId, mchId, apiV3Key, keys }),
  };
}

function orderPath(outTradeNo: string): string {
  return `/v3/pay/transactions/out-trade-no/${encodeURIComponent(outTradeNo)}`;
}
