/** One line of a provider's bill (T+1): a payment, or a refund of one. */
export type BillLine =
  | { kind: 'payment'; orderNo: string; transactionId: string; amountFen: number }
  | { kind: 'refund'; orderNo: string; refundNo: string; amountFen: number };
