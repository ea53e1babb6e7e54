import { query, sqlTime } from '../../db.ts';
import type { Period } from './china-day.ts';
import { entriesBooked } from './entries.ts';
import {
  type BookedPayment,
  type BookedRefund,
  bookedAt,
  isBilled,
  paymentsBooked,
  providersBooked,
  refundsBooked,
} from './pages.ts';
import { CHANGED_ORDERS, slicesOf } from './slices.ts';

/** One row for an accountant. Members that a kind does not have are null. */
export interface BookRow {
  /** `payment` and `refund` are money that moved. `order`: an order that was not paid. `entry`: units in a wallet. */
  kind: 'order' | 'payment' | 'refund' | 'entry';
  /** RFC 3339: paid, accepted by the provider, created, or written. */
  at: string;
  orderNo: string | null;
  userId: string;
  appId: string;
  provider: string | null;
  merchantId: string | null;
  providerAppId: string | null;
  transactionId: string | null;
  productId: string | null;
  /** What came in; of a refund negative. null: no money moved. */
  amountFen: number | null;
  /** What the wallet got; negative: what left it. null: none moved. */
  units: number | null;
  asset: string;
  /** State of the order or of the refund; kind of the entry. */
  status: string;
  refundNo: string | null;
  providerRefundId: string | null;
  /** Number of the entry in its wallet, and the balance after it. */
  seq: number | null;
  balanceAfter: number | null;
  /** What the entry belongs to: an order, a refund, a spend. */
  ref: string | null;
  reason: string | null;
}

/** All that belongs to the days, in pages: unpaid orders, payments, refunds, entries of the ledger. */
export async function* exportBooks(period: Period): AsyncGenerator<BookRow[]> {
  yield* unpaidOrders(period);
  for (const provider of await providersBooked())
    for await (const page of paymentsBooked({ provider }, period)) yield page.map(paymentRow);
  // A refund that was closed moved no money.
  for await (const page of refundsBooked(period)) yield page.filter(isBilled).map(refundRow);
  for await (const page of entriesBooked(period))
    yield page.map((entry) => ({
      ...NONE,
      ...{ kind: 'entry', at: entry.createdAt, userId: entry.userId, appId: entry.appId, units: entry.delta },
      ...{ asset: entry.asset, status: entry.kind, seq: entry.seq, balanceAfter: entry.balanceAfter },
      ...{ ref: entry.ref, reason: entry.reason },
    }));
}

const NONE = {
  orderNo: null,
  provider: null,
  merchantId: null,
  providerAppId: null,
  transactionId: null,
  productId: null,
  amountFen: null,
  units: null,
  refundNo: null,
  providerRefundId: null,
  seq: null,
  balanceAfter: null,
  ref: null,
  reason: null,
};

const orderPart = ({
  orderNo,
  userId,
  appId,
  provider,
  merchantId,
  providerAppId,
  ...rest
}: BookedPayment | BookedRefund) => {
  const { transactionId, productId, asset, status } = rest;
  return {
    ...{ ...NONE, orderNo, userId, appId, provider, merchantId, providerAppId },
    ...{ transactionId, productId, asset, status },
  };
};

const paymentRow = (payment: BookedPayment): BookRow => ({
  ...orderPart(payment),
  kind: 'payment',
  at: payment.paidAt,
  amountFen: payment.amountFen,
  units: payment.units,
});

const refundRow = (refund: BookedRefund): BookRow => ({
  ...orderPart(refund),
  kind: 'refund',
  at: bookedAt(refund),
  amountFen: -refund.amountFen,
  units: -refund.units,
  refundNo: refund.refundNo,
  providerRefundId: refund.providerRefundId,
  reason: refund.reason,
});

/** No TIMESTAMP is later. */
const END_OF_TIME = '2038-01-19T03:14:07.999Z';

/**
 * Orders of the days that nobody paid. There is an index on the last change of an order, and none on its creation; an
 * order changes only after it is created. The last part has no end, because an order that changes now moves there.
 */
async function* unpaidOrders({ from, to }: Period): AsyncGenerator<BookRow[]> {
  for await (const changed of slicesOf(CHANGED_ORDERS, from, END_OF_TIME)) {
    const rows = await query(
      `SELECT order_no, app_id, user_id, provider, provider_app_id, merchant_id, product_id, asset, status, created_at
         FROM recharge_orders
        WHERE updated_at >= ? AND updated_at < ? AND paid_at IS NULL AND created_at >= ? AND created_at < ?
        ORDER BY updated_at, order_no`,
      [changed.from, changed.to, from, to].map((time) => sqlTime(time)),
    );
    yield rows.map((row) => ({
      ...NONE,
      kind: 'order',
      at: String(row.created_at),
      orderNo: String(row.order_no),
      userId: String(row.user_id),
      appId: String(row.app_id),
      provider: String(row.provider),
      merchantId: String(row.merchant_id),
      providerAppId: String(row.provider_app_id),
      productId: String(row.product_id),
      asset: String(row.asset),
      status: String(row.status),
    }));
  }
}
