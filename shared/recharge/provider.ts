import { AppError } from '../errors.ts';
import type { PushSecrets } from '../wechat/mini-program.ts';
import type { PushMessage } from '../wechat/push/message.ts';
import type { Bill } from './books/bill.ts';
import type { Order } from './order.ts';
import type { Payment } from './payment.ts';

/** What every payment provider offers. Amounts are in fen. The numbers are ours and stay the same on a retry. */
export interface Provider {
  readonly name: string;
  /** The mini-program and merchant of the orders; '' if the provider has none. */
  readonly providerAppId: string;
  readonly merchantId: string;
  /**
   * What an order of this payer keeps, to be sent again unchanged. It asks nobody, and is called before the order is
   * made. Throws INVALID_INPUT for a payer who cannot pay here.
   */
  terms(payer: Payer): OrderTerms;
  /**
   * What the client passes to the provider's payment sheet. It may be called again for the same order. null: the
   * provider accepts no payment for it any more (paid, closed, expired). Throws UNAVAILABLE, INVALID_INPUT.
   */
  prepare(order: PayableOrder, payer: Payer): Promise<Record<string, unknown> | null>;
  /** The state of an order at the provider. Throws UNAVAILABLE. */
  ask(order: OrderAtProvider): Promise<Asked>;
  /** `closed`: nobody can pay the order any more. `paid`: it was paid before. Throws UNAVAILABLE. */
  close(orderNo: string): Promise<'closed' | 'paid'>;
  /** false: refunds are made only at the provider's console. */
  readonly refunds: boolean;
  /** It may be repeated: a provider refunds once for each number. Throws UNAVAILABLE when the outcome is unknown. */
  refund(refund: ProviderRefund): Promise<ReportedRefund | RefusedRefund>;
  /** What the provider knows about a refund. null: it certainly knows no refund of this number. Throws UNAVAILABLE. */
  askRefund(refundNo: string, order: OrderAtProvider): Promise<ReportedRefund | null>;
  /**
   * What the provider returned of an order, also without a request from here. Without this member it cannot be asked.
   * Throws UNAVAILABLE.
   */
  returned?(order: OrderAtProvider): Promise<Returned>;
  /**
   * What the provider knows about a refund that was made there, by the merchant's number. null: it knows none of this
   * number. Without this member it cannot be asked for one refund. Throws UNAVAILABLE.
   */
  madeRefund?(number: string): Promise<MadeRefund | null>;
  /** For a provider that answers only with the payer. false: nobody knows who paid, so it cannot be asked any more. */
  knowsPayer?(order: OrderAtProvider): Promise<boolean>;
  /** For a provider that has to be told that the units were delivered. */
  readonly delivery?: {
    /** false: not for this mini-program. WeChat is asked at most once a day. Throws UNAVAILABLE. */
    isNeeded(): Promise<boolean>;
    /** It may be repeated. Throws UNAVAILABLE when the outcome is unknown. */
    report(order: Order): Promise<DeliveryReport>;
  };
  /**
   * The bill of a day in China time; null: the provider says that it has none. Without this member the provider has no
   * bill to download. Throws UNAVAILABLE, BillRefused.
   */
  bill?(day: string): Promise<Bill | null>;
  /**
   * Checks the signature over the raw bytes, then parses them. `nowSeconds` is the time for the signature's window.
   * Throws BAD_NOTIFY_SIGNATURE, INVALID_INPUT; NotificationUnusable for one that is authentic and of no use to this
   * merchant.
   */
  readNotification(notification: RawNotification, nowSeconds: number): ProviderNotification;
  /** For a provider that reports payments in the message push of its mini-program. */
  readonly push?: {
    secrets: PushSecrets;
    /** Reads an opened push. Throws BAD_NOTIFY_SIGNATURE for one of another form or environment. */
    read(message: PushMessage): ProviderNotification;
  };
  /** The text that registers our address for notifications, if the provider needs it. Throws BAD_NOTIFY_SIGNATURE. */
  echo?(query: RawNotification['query'], nowSeconds: number): string;
}

/** null: the provider is not told it, or the order is of a former release. */
export interface OrderTerms {
  payerOpenid: string | null;
  /** Where the provider reports the payment. */
  notifyUrl: string | null;
}

interface PayableOrder extends OrderTerms {
  orderNo: string;
  amountFen: number;
  expiresAt: string;
  productId: string;
  /** The title that the payer sees. */
  title: string;
}

export const NO_TERMS: OrderTerms = { payerOpenid: null, notifyUrl: null };

export interface Payer {
  userId: string;
  /** null: the user never logged in with WeChat. */
  wechatOpenid: string | null;
  /** From the wx.login whose code was sent with the call. It is used and not stored. */
  wechatSessionKey?: string;
}

/** What names an order at a provider. Some also ask for the payer. */
export type OrderAtProvider = Pick<Order, 'orderNo' | 'userId' | 'providerAppId' | 'payerOpenid'> &
  Partial<Pick<Order, 'transactionId'>>;

interface MadeRefund extends ReportedRefund {
  refundId: string;
  orderNo: string;
  /** The payment that was refunded. */
  transactionId: string;
  refundFen: number;
}

/** What a provider returned of an order, in fen. `some`: it says no more than that. */
export type Returned = number | 'some';

/** `later`: not now. `refused`: never. `why`: the provider's code, or ours. */
export type DeliveryReport = { state: 'reported' } | { state: 'later' | 'refused'; why: number | string };

/** `open`: not paid yet. `ended`: not paid, and cannot be paid any more. */
export type Asked = { state: 'paid'; payment: Payment } | { state: 'open' | 'ended' };

export interface ProviderRefund extends OrderAtProvider {
  refundNo: string;
  refundFen: number;
  totalFen: number;
  reason: string | null;
}

/** `abnormal`: the money could not be delivered, and a person has to act at the provider. */
export type RefundState = 'processing' | 'success' | 'closed' | 'abnormal';

export interface ReportedRefund {
  state: RefundState;
  /** The provider's own number. null: it has none. */
  refundId: string | null;
  /** RFC 3339: when the provider accepted it, which is the day of its bill. null: not reported. */
  acceptedAt: string | null;
}

/**
 * The provider certainly did not take the refund. `final`: it will never take it. Otherwise our settings, the balance of
 * the merchant or the load are the reason, and a later attempt may succeed.
 */
export interface RefusedRefund {
  state: 'refused';
  code: RefusalCode;
  final: boolean;
}

/** Our names for a provider's refusals: stable, and stored with the refund. */
export type RefusalCode =
  | 'not-allowed'
  | 'bad-values'
  | 'order-unknown'
  | 'payer-account'
  | 'trade-state'
  | 'rule-limit'
  | 'merchant-balance'
  | 'too-many-calls'
  | 'settings'
  | 'at-apple'
  | 'other';

/** Our opinion on a refund that somebody else decides, for a person who reads it there. */
export interface RefundAdvice {
  /** false: the payer has used what was paid for. */
  refundable: boolean;
  evidence: string;
}

export interface RawNotification {
  headers: Readonly<Record<string, string | undefined>>;
  query: Readonly<Record<string, string>>;
  body: Buffer;
}

/**
 * `nothing`: the notification is authentic, and no action follows. `answer`: what the provider expects, a text as it
 * is, an object as JSON.
 */
export type ProviderNotification =
  | { kind: 'payment'; payment: Payment; answer?: object | string }
  /** `at`: RFC 3339, when the money was returned; null: it was not, or the provider does not report it. */
  | ({
      kind: 'refund';
      refundNo: string;
      orderNo: string;
      transactionId: string;
      refundFen: number;
      at: string | null;
    } & Pick<ReportedRefund, 'state' | 'refundId'>)
  /** A refund that succeeded, with the provider's own reference. `refundNo`: ours, if it was requested here; null: not told. */
  | {
      kind: 'refunded';
      orderNo: string;
      refundNo: string | null;
      reference: string;
      refundFen: number;
      answer?: object | string;
    }
  /** The provider asks whether a payer may get the money back. `payment`: an order, or a transaction of the provider. */
  | { kind: 'question'; payment: string; answer(advice: RefundAdvice): object | string }
  | { kind: 'nothing'; answer?: object | string };

/** The provider signed it, but it is for another merchant, or the settings of this one are out of date. */
export class NotificationUnusable extends AppError {
  constructor(readonly difference: string) {
    super('NOTICE_MISMATCH');
  }
}

export const providerUnavailable = (): AppError =>
  new AppError('UNAVAILABLE', 'The payment provider did not answer; try again.', { retryAfterSeconds: 2 });
