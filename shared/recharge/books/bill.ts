/** A provider's bill of one day in China, read whole. */
export interface Bill {
  lines: BillLine[];
}

interface Common {
  /** Number of the line in the file; 0: the bill is no file. */
  line: number;
  /** The AppID at which the payer paid. A merchant may have several, also of other systems. */
  appId: string;
  orderNo: string;
  transactionId: string;
  /** Of a payment: the price before coupons. */
  amountFen: number;
}

export type PaymentLine = Common & { kind: 'payment' };
/**
 * `refundNo`: the number that the merchant gave. `refundId`: the provider's own number; '' if it has none. `isPaid`: the
 * money had been returned when the bill was made; before that the provider may still close the refund.
 */
export type RefundLine = Common & { kind: 'refund'; refundNo: string; refundId: string; isPaid: boolean };
export type BillLine = PaymentLine | RefundLine;

/** What a bill has to be of. */
export interface BillSubject {
  /** A day in China: `2026-11-24`. */
  day: string;
  merchantId: string;
}

/** What is compared: one day of one merchant. */
export interface Subject extends BillSubject {
  provider: string;
  /** The AppIDs of this deployment at this merchant. Lines of another AppID are of another system. */
  appIds: Set<string>;
  /** false: the provider's bill has no refunds. */
  refunds: boolean;
  /** false: the provider's bill leaves this transaction out. */
  isBilled: (transactionId: string) => boolean;
}

/** The bill cannot be compared. The message is one sentence for the operator, with the number of the line. */
export class BillRefused extends Error {
  override readonly name = 'BillRefused';
}
