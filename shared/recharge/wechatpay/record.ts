import { member, text } from '../../foreign-input.ts';

/** Strict readers for the two records that WeChat Pay reports. Answers and notifications have the same form. */

const paidStates = ['SUCCESS', 'REFUND'] as const;
/** NOTPAY, USERPAYING and ACCEPT may change to SUCCESS; CLOSED may, too, if a payment was in progress. */
const unpaidStates = ['NOTPAY', 'CLOSED', 'REVOKED', 'USERPAYING', 'PAYERROR', 'ACCEPT'] as const;
const refundStates = ['SUCCESS', 'CLOSED', 'PROCESSING', 'ABNORMAL'] as const;

export interface PaidTransaction {
  readonly paid: true;
  /** REFUND: paid, and all or a part was refunded. */
  readonly tradeState: (typeof paidStates)[number];
  readonly outTradeNo: string;
  readonly transactionId: string;
  /** The price of the order, before coupons: compare this amount with the order. */
  readonly totalFen: number;
  readonly currency: string;
  /** null: WeChat did not name the payer. */
  readonly openid: string | null;
  /** RFC 3339 in UTC. */
  readonly paidAt: string;
}

interface UnpaidTransaction {
  readonly paid: false;
  readonly tradeState: (typeof unpaidStates)[number];
  readonly outTradeNo: string;
}

export type WechatTransaction = PaidTransaction | UnpaidTransaction;

export interface WechatRefund {
  readonly outRefundNo: string;
  readonly outTradeNo: string;
  readonly refundId: string;
  readonly transactionId: string;
  /** PROCESSING is not final. ABNORMAL: the money could not be delivered, and a person has to act. */
  readonly status: (typeof refundStates)[number];
  readonly refundFen: number;
  readonly totalFen: number;
  /** null unless `status` is SUCCESS. RFC 3339 in UTC. */
  readonly refundedAt: string | null;
  /** When WeChat accepted it. null: in a notification, which does not contain it. RFC 3339 in UTC. */
  readonly createdAt: string | null;
}

/** null: the value is not a transaction of this merchant in a known state. */
export function readTransaction(value: unknown, owner: { appId: string; mchId: string }): WechatTransaction | null {
  if (member(value, 'appid') !== owner.appId || member(value, 'mchid') !== owner.mchId) return null;
  const outTradeNo = text(member(value, 'out_trade_no'));
  const state = member(value, 'trade_state');
  if (outTradeNo === null) return null;
  const unpaidState = unpaidStates.find((known) => known === state);
  if (unpaidState !== undefined) return { paid: false, tradeState: unpaidState, outTradeNo };

  const paidState = paidStates.find((known) => known === state);
  const transactionId = text(member(value, 'transaction_id'));
  const amount = member(value, 'amount');
  const totalFen = fen(member(amount, 'total'));
  // Optional in WeChat's documents. A domestic merchant only ever sees CNY.
  const currency = text(member(amount, 'currency') ?? 'CNY');
  const paidAt = instant(member(value, 'success_time'));
  if (!paidState || transactionId === null || totalFen === null || currency === null || paidAt === null) return null;
  const openid = text(member(member(value, 'payer'), 'openid'));
  return { paid: true, tradeState: paidState, outTradeNo, transactionId, totalFen, currency, openid, paidAt };
}

/** `stateName` is `status` in answers and `refund_status` in notifications. null: the value is not a refund. */
export function readRefund(value: unknown, stateName: 'status' | 'refund_status'): WechatRefund | null {
  const outRefundNo = text(member(value, 'out_refund_no'));
  const outTradeNo = text(member(value, 'out_trade_no'));
  const refundId = text(member(value, 'refund_id'));
  const transactionId = text(member(value, 'transaction_id'));
  const state = member(value, stateName);
  const status = refundStates.find((known) => known === state);
  const refundFen = fen(member(member(value, 'amount'), 'refund'));
  const totalFen = fen(member(member(value, 'amount'), 'total'));
  const time = member(value, 'success_time');
  const refundedAt = time === undefined || time === null || time === '' ? null : instant(time);
  if (outRefundNo === null || outTradeNo === null || refundId === null || transactionId === null) return null;
  if (status === undefined || refundFen === null || totalFen === null || refundFen > totalFen) return null;
  if (status === 'SUCCESS' && refundedAt === null) return null;
  const createdAt = instant(member(value, 'create_time'));
  return { outRefundNo, outTradeNo, refundId, transactionId, status, refundFen, totalFen, refundedAt, createdAt };
}

function fen(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}

function instant(value: unknown): string | null {
  if (typeof value !== 'string' || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/.test(value))
    return null;
  const milliseconds = Date.parse(value);
  return Number.isNaN(milliseconds) ? null : new Date(milliseconds).toISOString();
}
