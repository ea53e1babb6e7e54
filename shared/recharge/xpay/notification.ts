import { member, text } from '../../foreign-input.ts';
import type { PushFormat } from '../../wechat/push/message.ts';
import { refusePush } from '../../wechat/push/refused.ts';

/** The events of virtual payment in the message push of a mini-program. The push was opened before: it is authentic. */
interface DeliverNotification {
  readonly event: 'xpay_goods_deliver_notify' | 'xpay_coin_pay_notify';
  readonly openid: string;
  readonly outTradeNo: string;
  /** null: not paid through WeChat Pay. */
  readonly transactionId: string | null;
  /** null for coins. */
  readonly productId: string | null;
  readonly quantity: number;
  readonly actualPriceFen: number;
  readonly attach: string;
  /** A trial push from the console: acknowledge it and change nothing. */
  readonly trial: boolean;
}

/** A refund that ended: requested from here, made at the console, or by the payer at WeChat or Apple. */
interface RefundPush {
  readonly event: 'xpay_refund_notify';
  readonly outTradeNo: string;
  readonly wxRefundId: string;
  /** Of the request for it. null: WeChat does not tell it. */
  readonly mchRefundId: string | null;
  readonly refundFen: number;
  /** false: the refund failed, and the money was not returned. */
  readonly succeeded: boolean;
  readonly trial: boolean;
}

/** In the format of the push, not encrypted, and always the same. WeChat pushes again after any other answer. */
export const xpayAnswer = (format: PushFormat): object | string =>
  format === 'json'
    ? { ErrCode: 0, ErrMsg: 'success' }
    : '<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>';

/**
 * `env`: the accepted environment, because a sandbox payment must not become real money. null: another event. Throws
 * BAD_NOTIFY_SIGNATURE for an event of another environment or form.
 */
export function readXpayEvent(push: object, env: 0 | 1): DeliverNotification | RefundPush | null {
  const event = member(push, 'Event');
  if (event === 'xpay_refund_notify') return readRefundPush(push, env);
  return event === 'xpay_goods_deliver_notify' || event === 'xpay_coin_pay_notify'
    ? readDeliver(push, event, env)
    : null;
}

function readRefundPush(push: object, env: 0 | 1): RefundPush {
  const pushed = member(push, 'Env');
  if (pushed !== undefined && whole(pushed) !== env) refusePush('WRONG_ENV');
  const outTradeNo = text(member(push, 'MchOrderId'));
  const wxRefundId = text(member(push, 'WxRefundId'));
  const mchRefundId = text(member(push, 'MchRefundId'));
  const refundFen = whole(member(push, 'RefundFee'));
  const result = member(push, 'RetCode');
  if (outTradeNo === null || wxRefundId === null || !refundFen || result === undefined) return refusePush('MALFORMED');
  const trial = isSet(member(push, 'IsMock'));
  const succeeded = whole(result) === 0;
  return { event: 'xpay_refund_notify', outTradeNo, wxRefundId, mchRefundId, refundFen, succeeded, trial };
}

function readDeliver(push: object, event: DeliverNotification['event'], env: 0 | 1): DeliverNotification {
  if (whole(member(push, 'Env')) !== env) refusePush('WRONG_ENV');
  const goods = event === 'xpay_goods_deliver_notify';
  const bought = member(push, goods ? 'GoodsInfo' : 'CoinInfo');
  const openid = text(member(push, 'OpenId'));
  const outTradeNo = text(member(push, 'OutTradeNo'));
  const productId = goods ? text(member(bought, 'ProductId')) : null;
  const quantity = whole(member(bought, 'Quantity'));
  const actualPriceFen = whole(member(bought, 'ActualPrice'));
  const attach = member(bought, 'Attach') ?? '';
  if (openid === null || outTradeNo === null || !quantity || actualPriceFen === null) return refusePush('MALFORMED');
  if ((goods && productId === null) || typeof attach !== 'string') return refusePush('MALFORMED');
  const transactionId = text(member(member(push, 'WeChatPayInfo'), 'TransactionId'));
  const trial = isSet(member(push, 'IsMock')) || isSet(member(bought, 'IsMock'));
  return { event, openid, outTradeNo, transactionId, productId, quantity, actualPriceFen, attach, trial };
}

/** In XML every number is a text. null: no whole number from 0 on. */
function whole(value: unknown): number | null {
  const number = typeof value === 'string' && /^(?:0|[1-9]\d{0,15})$/.test(value) ? Number(value) : value;
  return typeof number === 'number' && Number.isSafeInteger(number) && number >= 0 ? number : null;
}

/** Accepts all spellings: a trial that is read as a payment would credit units that nobody paid. */
const isSet = (value: unknown): boolean => ![undefined, null, false, 0, '', '0', 'false'].includes(value as null);
