import { randomBytes, randomInt } from 'node:crypto';
import type { MockIdentity } from './identity.ts';

/** An error answer of API v3: HTTP status, code, text. */
export class ApiRefusal extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
  ) {
    super(message);
  }
}

export interface MockOrder {
  readonly outTradeNo: string;
  readonly description: string;
  readonly totalFen: number;
  readonly openid: string;
  readonly notifyUrl: string;
  /** null: two hours, as at WeChat. */
  readonly expiresAtMs: number;
  state: 'NOTPAY' | 'CLOSED' | 'SUCCESS';
  prepayId: string;
  transactionId: string | null;
  paidAtMs: number | null;
  /** The part of the price that a coupon of the merchant paid, so that nobody pays it. */
  couponFen: number;
}

export interface MockRefund {
  readonly outRefundNo: string;
  readonly refundId: string;
  readonly outTradeNo: string;
  readonly refundFen: number;
  readonly notifyUrl: string | null;
  readonly createdAtMs: number;
  status: 'PROCESSING' | RefundEnd;
  endedAtMs: number | null;
}

export interface PayWay {
  /** The payment began before the order was closed or expired. */
  evenIfClosed?: boolean;
  couponFen?: number;
}

export type RefundEnd = 'SUCCESS' | 'CLOSED' | 'ABNORMAL';

const yearMs = 365 * 86_400_000;

/** The merchant's orders and refunds, with the states and error codes of the official pages. */
export class MockOrders {
  readonly #orders = new Map<string, MockOrder>();
  readonly #refunds = new Map<string, MockRefund>();
  readonly #identity: MockIdentity;
  readonly #now: () => number;

  constructor(identity: MockIdentity, now: () => number) {
    this.#identity = identity;
    this.#now = now;
  }

  list(): MockOrder[] {
    return [...this.#orders.values()].map((order) => ({ ...order, state: this.#state(order) }));
  }

  listRefunds(): MockRefund[] {
    return [...this.#refunds.values()].map((refund) => ({ ...refund }));
  }

  prepay(wanted: Omit<MockOrder, 'state' | 'prepayId' | 'transactionId' | 'paidAtMs' | 'couponFen'>): string {
    const known = this.#orders.get(wanted.outTradeNo);
    if (known !== undefined) return this.#prepayAgain(known, wanted);
    if (wanted.expiresAtMs <= this.#now()) throw new ApiRefusal(400, 'PARAM_ERROR', 'time_expire is in the past');
    const prepayId = newPrepayId();
    const unpaid = { state: 'NOTPAY', transactionId: null, paidAtMs: null, couponFen: 0 } as const;
    this.#orders.set(wanted.outTradeNo, { ...wanted, ...unpaid, prepayId });
    return prepayId;
  }

  #prepayAgain(known: MockOrder, wanted: object): string {
    if (known.state === 'SUCCESS') throw new ApiRefusal(400, 'ORDERPAID', 'the order is paid');
    if (known.state === 'CLOSED') throw new ApiRefusal(400, 'ORDER_CLOSED', 'the order is closed');
    if (known.expiresAtMs <= this.#now()) throw new ApiRefusal(403, 'OUT_TRADE_NO_USED', 'out_trade_no was used');
    const same = Object.entries(wanted).every(([name, value]) => known[name as keyof MockOrder] === value);
    if (!same) throw new ApiRefusal(400, 'INVALID_REQUEST', 'the order was first sent with other parameters');
    known.prepayId = newPrepayId();
    return known.prepayId;
  }

  close(outTradeNo: string): void {
    const order = this.#order(outTradeNo);
    if (order.state === 'SUCCESS') throw new ApiRefusal(400, 'ORDERPAID', 'the order is paid');
    if (order.state === 'CLOSED') throw new ApiRefusal(400, 'ORDER_CLOSED', 'the order is closed');
    order.state = 'CLOSED';
  }

  /** Pays as the payer does. */
  pay(outTradeNo: string, { evenIfClosed = false, couponFen = 0 }: PayWay = {}): MockOrder {
    const order = this.#order(outTradeNo);
    if (order.state === 'SUCCESS') throw new ApiRefusal(400, 'ORDERPAID', 'the order is paid');
    if (this.#state(order) === 'CLOSED' && !evenIfClosed)
      throw new ApiRefusal(400, 'ORDER_CLOSED', 'the order is closed');
    order.state = 'SUCCESS';
    order.transactionId = newTransactionId();
    order.couponFen = couponFen;
    order.paidAtMs = this.#now();
    return order;
  }

  refund(
    wanted: Pick<MockRefund, 'outRefundNo' | 'outTradeNo' | 'refundFen' | 'notifyUrl'> & { totalFen: number },
  ): MockRefund {
    const order = this.#orders.get(wanted.outTradeNo);
    if (order?.paidAtMs == null) throw new ApiRefusal(404, 'RESOURCE_NOT_EXISTS', 'no such paid order');
    if (order.totalFen !== wanted.totalFen)
      throw new ApiRefusal(400, 'INVALID_REQUEST', "amount.total is not the order's");
    const known = this.#refunds.get(wanted.outRefundNo);
    if (known !== undefined) {
      if (known.outTradeNo === wanted.outTradeNo && known.refundFen === wanted.refundFen) return known;
      throw new ApiRefusal(400, 'INVALID_REQUEST', 'out_refund_no was first sent with other parameters');
    }
    const earlier = this.#refundsOf(order);
    const sum = earlier.reduce((total, refund) => total + refund.refundFen, wanted.refundFen);
    if (sum > order.totalFen) throw new ApiRefusal(400, 'INVALID_REQUEST', 'more than was paid');
    if (earlier.length >= 50) throw new ApiRefusal(400, 'INVALID_REQUEST', 'no more than 50 refunds');
    if (this.#now() - order.paidAtMs > yearMs)
      throw new ApiRefusal(400, 'INVALID_REQUEST', 'paid more than a year ago');
    const refundId = `50300${String(randomInt(1e12, 1e13 - 1))}${String(randomInt(1e9, 1e10 - 1))}`;
    const { outRefundNo, outTradeNo, refundFen, notifyUrl } = wanted;
    const createdAtMs = this.#now();
    const refund = { outRefundNo, outTradeNo, refundFen, notifyUrl, refundId, createdAtMs, endedAtMs: null };
    const kept: MockRefund = { ...refund, status: 'PROCESSING' };
    this.#refunds.set(outRefundNo, kept);
    return kept;
  }

  /** A refund that a person makes at the merchant platform. WeChat gives it a number. */
  refundAtConsole(outTradeNo: string, refundFen: number, notify: boolean): MockRefund {
    const { totalFen, notifyUrl } = this.#order(outTradeNo);
    const outRefundNo = `console${String(randomInt(1e12, 1e13 - 1))}`;
    return this.refund({ outRefundNo, outTradeNo, refundFen, totalFen, notifyUrl: notify ? notifyUrl : null });
  }

  endRefund(outRefundNo: string, status: RefundEnd): MockRefund {
    const refund = this.findRefund(outRefundNo);
    // ABNORMAL is not final: the merchant may send the money in another way.
    if (refund.status === 'SUCCESS' || refund.status === 'CLOSED') {
      throw new ApiRefusal(400, 'INVALID_REQUEST', 'the refund has ended');
    }
    refund.status = status;
    refund.endedAtMs = this.#now();
    return refund;
  }

  findRefund(outRefundNo: string): MockRefund {
    const refund = this.#refunds.get(outRefundNo);
    if (refund === undefined) throw new ApiRefusal(404, 'RESOURCE_NOT_EXISTS', 'no such refund');
    return refund;
  }

  /** The record of an order, for `query` and for the notification of a payment. */
  transaction(outTradeNo: string): object {
    const order = this.#order(outTradeNo);
    const refunded = this.#refundsOf(order).length > 0;
    const state = order.state === 'SUCCESS' && refunded ? 'REFUND' : this.#state(order);
    const { appId, mchId } = this.#identity;
    const known = { appid: appId, mchid: mchId, out_trade_no: outTradeNo, trade_state: state, trade_state_desc: state };
    if (order.paidAtMs === null) return { ...known, payer: {} };
    const total = order.totalFen;
    return {
      ...known,
      transaction_id: order.transactionId,
      trade_type: 'JSAPI',
      bank_type: 'OTHERS',
      attach: '',
      success_time: beijing(order.paidAtMs),
      payer: { openid: order.openid },
      amount: { total, payer_total: total - order.couponFen, currency: 'CNY', payer_currency: 'CNY' },
    };
  }

  /** The record of a refund. Answers and notifications have other names for its status and the merchant's number. */
  refundRecord(refund: MockRefund, form: 'answer' | 'notification'): object {
    const order = this.#order(refund.outTradeNo);
    const state =
      form === 'answer' ? { status: refund.status } : { refund_status: refund.status, mchid: this.#identity.mchId };
    return {
      ...state,
      refund_id: refund.refundId,
      out_refund_no: refund.outRefundNo,
      transaction_id: order.transactionId,
      out_trade_no: refund.outTradeNo,
      user_received_account: 'balance',
      ...(form === 'answer' ? { channel: 'ORIGINAL', create_time: beijing(refund.createdAtMs) } : {}),
      ...(refund.status === 'SUCCESS' && refund.endedAtMs !== null ? { success_time: beijing(refund.endedAtMs) } : {}),
      amount: {
        total: order.totalFen,
        refund: refund.refundFen,
        payer_total: order.totalFen,
        payer_refund: refund.refundFen,
      },
    };
  }

  #order(outTradeNo: string): MockOrder {
    const order = this.#orders.get(outTradeNo);
    if (order === undefined) throw new ApiRefusal(404, 'ORDER_NOT_EXIST', 'no such order');
    return order;
  }

  #refundsOf(order: MockOrder): MockRefund[] {
    return [...this.#refunds.values()].filter((one) => one.outTradeNo === order.outTradeNo && one.status !== 'CLOSED');
  }

  #state(order: MockOrder): MockOrder['state'] {
    return order.state === 'NOTPAY' && order.expiresAtMs <= this.#now() ? 'CLOSED' : order.state;
  }
}

export const newTransactionId = (): string =>
  `42000${String(randomInt(1e12, 1e13 - 1))}${String(randomInt(1e9, 1e10 - 1))}`;

function newPrepayId(): string {
  return `wx${randomBytes(17).toString('hex')}`;
}

function beijing(ms: number): string {
  return `${new Date(ms + 8 * 3_600_000).toISOString().slice(0, 19)}+08:00`;
}
