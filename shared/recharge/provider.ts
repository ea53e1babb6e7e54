import { AppError } from '../errors.ts';
import type { Payment } from './payment.ts';

/** What every payment provider does for us. Amounts are fen; numbers are ours and stay the same on a retry. */
export interface Provider {
  readonly name: string;
  /** The mini-program and merchant that orders are bound to; '' where the provider has none. */
  readonly providerAppId: string;
  readonly merchantId: string;
  /**
   * What the client hands to the provider's payment sheet. May be asked again for the same order. null: the provider
   * takes no payment for it any more (paid, closed, expired). Throws UNAVAILABLE, INVALID_INPUT.
   */
  prepare(order: PayableOrder, payer: Payer): Promise<Record<string, unknown> | null>;
  /** Asks what became of an order. Throws UNAVAILABLE. */
  ask(orderNo: string): Promise<Asked>;
  /** Nobody can pay it any more, or it was paid. Throws UNAVAILABLE. */
  close(orderNo: string): Promise<'closed' | 'paid'>;
  /** false: refunds are made at the provider's console. */
  readonly refunds: boolean;
  /** May be sent again: a provider refunds once per number. Throws UNAVAILABLE when the outcome is not known. */
  refund(refund: ProviderRefund): Promise<RefundState>;
  /** What it billed on a day of China, where it can be asked. Throws UNAVAILABLE. */
  bill?(day: string): Promise<BillLine[]>;
  /** Reads a notification over its raw bytes; `nowSeconds` decides whether its signature is young enough. Throws BAD_NOTIFY_SIGNATURE, INVALID_INPUT. */
  readNotification(notification: RawNotification, nowSeconds: number): ProviderNotification;
  /** The text that registers the address of notifications, where the provider asks for it. Throws BAD_NOTIFY_SIGNATURE. */
  echo?(query: RawNotification['query'], nowSeconds: number): string;
}

/** One line of a provider's bill (T+1): a payment, or a refund of one. */
export type BillLine =
  | { kind: 'payment'; orderNo: string; transactionId: string; amountFen: number }
  | { kind: 'refund'; orderNo: string; refundNo: string; amountFen: number };

interface PayableOrder {
  orderNo: string;
  amountFen: number;
  expiresAt: string;
  productId: string;
  /** What the payer reads. */
  title: string;
}

export interface Payer {
  userId: string;
  /** null: the user never logged in by WeChat. */
  wechatOpenid: string | null;
  /** Of the wx.login whose code came along; it is used and not kept. */
  wechatSessionKey?: string;
}

/** `open`: not paid yet. `ended`: not paid, and cannot be paid any more. */
export type Asked = { state: 'paid'; payment: Payment } | { state: 'open' | 'ended' };

interface ProviderRefund {
  refundNo: string;
  orderNo: string;
  refundFen: number;
  totalFen: number;
  reason: string | null;
}

/** `abnormal`: the money could not be delivered, a person has to act at the provider. */
export type RefundState = 'processing' | 'success' | 'closed' | 'abnormal';

export interface RawNotification {
  headers: Readonly<Record<string, string | undefined>>;
  query: Readonly<Record<string, string>>;
  body: Buffer;
}

/** `nothing`: authentic, and nothing follows from it. */
export type ProviderNotification =
  | { kind: 'payment'; payment: Payment; answer?: object }
  | { kind: 'refund'; refundNo: string; orderNo: string; refundFen: number; state: RefundState }
  /** Money that went back without our asking, under the provider's own reference. */
  | { kind: 'refunded'; orderNo: string; reference: string; refundFen: number; answer?: object }
  | { kind: 'nothing'; answer?: object };

export const providerUnavailable = (): AppError =>
  new AppError('UNAVAILABLE', 'The payment provider did not answer; try again.', { retryAfterSeconds: 2 });
