import { query, type Row, type SqlValue, sqlTime } from '../../db.ts';
import type { Period } from './china-day.ts';

/** Rows for one statement: a statement must end in time, and a day may have any number of rows. */
const PAGE = 1_000;

/** What a payment and a refund have of their order. */
interface OfOrder {
  orderNo: string;
  appId: string;
  userId: string;
  provider: string;
  providerAppId: string;
  merchantId: string;
  productId: string;
  asset: string;
  transactionId: string;
  amountFen: number;
  units: number;
  status: string;
  createdAt: string;
}

/** A payment by the provider's time. */
export interface BookedPayment extends OfOrder {
  /** What the ledger has credited for it; null: nothing. */
  creditedUnits: number | null;
  paidAt: string;
}

/** A refund by the time at which the provider accepted it. Amount, units and status are its own. */
export interface BookedRefund extends OfOrder {
  refundNo: string;
  providerRefundId: string | null;
  /** What left the wallet for it; null: nothing. */
  takenUnits: number | null;
  origin: string;
  reason: string | null;
  /** null: not known; then `createdAt` stands for it. */
  providerAt: string | null;
  sentAt: string | null;
}

/** The day of a refund is the provider's. Of refunds of former releases only our own time is known. */
export const bookedAt = ({ providerAt, createdAt }: Pick<BookedRefund, 'providerAt' | 'createdAt'>): string =>
  providerAt ?? createdAt;

const BILLED: ReadonlySet<string> = new Set(['processing', 'success', 'abnormal']);

/** A refund that the provider has not accepted, or that ended without money, is in no bill and in no sum. */
export const isBilled = ({ status }: Pick<BookedRefund, 'status'>): boolean => BILLED.has(status);

/** The providers that have orders. The index gives them without reading the orders. */
export async function providersBooked(): Promise<string[]> {
  const rows = await query('SELECT provider FROM recharge_orders GROUP BY provider');
  return rows.map((row) => String(row.provider));
}

/** Pages of the payments of a merchant, or of all merchants of the provider, in the order of an index. */
export async function* paymentsBooked(
  { provider, merchantId }: { provider: string; merchantId?: string },
  { from, to }: Period,
): AsyncGenerator<BookedPayment[]> {
  let [time, orderNo] = [sqlTime(from), ''];
  for (;;) {
    const rows = await query(
      `SELECT STRAIGHT_JOIN o.order_no, o.app_id, o.user_id, o.provider, o.provider_app_id, o.merchant_id,
              o.product_id, o.asset, COALESCE(o.transaction_id, '') AS transaction_id, o.amount_fen, o.units, o.status,
              o.paid_at, o.created_at, e.delta AS credited
         FROM recharge_orders o LEFT JOIN ledger_entries e ON e.kind = 'recharge' AND e.ref = o.order_no
        WHERE o.provider = ? AND o.paid_at >= ? AND o.paid_at < ? AND NOT (o.paid_at = ? AND o.order_no <= ?)
        ORDER BY o.paid_at, o.order_no LIMIT ${PAGE}`,
      [provider, time, sqlTime(to), time, orderNo],
    );
    const payments = rows.map(paymentFromRow);
    yield merchantId === undefined ? payments : payments.filter((payment) => payment.merchantId === merchantId);
    const last = payments.at(-1);
    if (rows.length < PAGE || !last) return;
    [time, orderNo] = [sqlTime(last.paidAt), last.orderNo];
  }
}

/** Pages of the refunds of all providers: those with the provider's time, then those of former releases. */
export async function* refundsBooked(period: Period): AsyncGenerator<BookedRefund[]> {
  yield* refundPages(period, 'r.provider_at >= ? AND r.provider_at < ?', 'r.provider_at, r.created_at, r.refund_no');
  yield* refundPages(
    period,
    'r.provider_at IS NULL AND r.created_at >= ? AND r.created_at < ?',
    'r.created_at, r.refund_no',
  );
}

async function* refundPages({ from, to }: Period, within: string, order: string): AsyncGenerator<BookedRefund[]> {
  const [column] = order.split(', ');
  let after: SqlValue[] = [sqlTime(from), '', ''];
  for (;;) {
    const [time, createdAt, refundNo] = after as [string, string, string];
    const rows = await query(
      `SELECT STRAIGHT_JOIN r.refund_no, r.provider_refund_id, r.order_no, r.amount_fen, r.units, r.status, r.origin,
              r.reason, r.provider_at, r.sent_at, r.created_at, o.app_id, o.user_id, o.provider, o.provider_app_id,
              o.merchant_id, o.product_id, o.asset, COALESCE(o.transaction_id, '') AS transaction_id, -e.delta AS taken
         FROM refunds r JOIN recharge_orders o ON o.order_no = r.order_no
         LEFT JOIN ledger_entries e ON e.kind = 'refund' AND e.ref = r.refund_no
        WHERE ${within}
          AND NOT (${column} = ? AND (r.created_at < ? OR (r.created_at = ? AND r.refund_no <= ?)))
        ORDER BY ${order} LIMIT ${PAGE}`,
      [time, sqlTime(to), time, createdAt || sqlTime(0), createdAt || sqlTime(0), refundNo],
    );
    const refunds = rows.map(refundFromRow);
    yield refunds;
    const last = refunds.at(-1);
    if (rows.length < PAGE || !last) return;
    after = [sqlTime(bookedAt(last)), sqlTime(last.createdAt), last.refundNo];
  }
}

const orderPart = (row: Row) => ({
  orderNo: String(row.order_no),
  appId: String(row.app_id),
  userId: String(row.user_id),
  provider: String(row.provider),
  providerAppId: String(row.provider_app_id),
  merchantId: String(row.merchant_id),
  productId: String(row.product_id),
  asset: String(row.asset),
  transactionId: String(row.transaction_id),
  amountFen: Number(row.amount_fen),
  units: Number(row.units),
  status: String(row.status),
  createdAt: String(row.created_at),
});

const paymentFromRow = (row: Row): BookedPayment => ({
  ...orderPart(row),
  creditedUnits: row.credited === null ? null : Number(row.credited),
  paidAt: String(row.paid_at),
});

const refundFromRow = (row: Row): BookedRefund => ({
  ...orderPart(row),
  refundNo: String(row.refund_no),
  providerRefundId: row.provider_refund_id as string | null,
  takenUnits: row.taken === null ? null : Number(row.taken),
  origin: String(row.origin),
  reason: row.reason as string | null,
  providerAt: row.provider_at as string | null,
  sentAt: row.sent_at as string | null,
});
