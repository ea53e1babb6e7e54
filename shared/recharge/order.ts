import { query, type Row, type SqlValue, sqlTime, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { type Page, pageOf, readCursor } from './page.ts';

/**
 * Orders: pending -> paid -> partial_refund -> refunded, pending -> closed, and closed -> paid, because money may
 * arrive after the close. There are no other steps. The ledger decides what was credited, and `status` is set after it.
 */
export type OrderStatus = 'pending' | 'paid' | 'partial_refund' | 'refunded' | 'closed';

export interface Order {
  orderNo: string;
  appId: string;
  userId: string;
  asset: string;
  productId: string;
  provider: string;
  providerAppId: string;
  merchantId: string;
  amountFen: number;
  currency: string;
  units: number;
  status: OrderStatus;
  refundedFen: number;
  /** null: not paid yet. */
  transactionId: string | null;
  checks: number;
  requestHash: string;
  createdAt: string;
  expiresAt: string;
  /** null: not paid yet. */
  paidAt: string | null;
  /** What was sent to the provider first. null: the order is of a former release, or its provider needs none. */
  title: string | null;
  payerOpenid: string | null;
  notifyUrl: string | null;
  delivery: DeliveryState;
}

/** Whether WeChat was told that the units were delivered. `due`: not yet. null: it need not be told. */
type DeliveryState = 'due' | 'reported' | 'refused' | null;

/** Money of it can be refunded. */
export const isPaid = ({ status }: Order): boolean => status === 'paid' || status === 'partial_refund';

/** The part of an order that users see. */
export function publicOrder(order: Order) {
  const { orderNo, status, productId, amountFen, currency, units, createdAt, paidAt } = order;
  return { orderNo, status, productId, amountFen, currency, units, createdAt, ...(paidAt !== null && { paidAt }) };
}

export const ORDER_COLUMNS = `o.order_no, o.app_id, o.user_id, o.asset, o.product_id, o.provider, o.provider_app_id,
  o.merchant_id, o.amount_fen, o.currency, o.units, o.status, o.refunded_fen, o.transaction_id, o.checks,
  o.request_hash, o.created_at, o.expires_at, o.paid_at, o.title, o.payer_openid, o.notify_url, o.delivery`;

export const orderFromRow = (row: Row): Order => ({
  orderNo: String(row.order_no),
  appId: String(row.app_id),
  userId: String(row.user_id),
  asset: String(row.asset),
  productId: String(row.product_id),
  provider: String(row.provider),
  providerAppId: String(row.provider_app_id),
  merchantId: String(row.merchant_id),
  amountFen: Number(row.amount_fen),
  currency: String(row.currency),
  units: Number(row.units),
  status: row.status as OrderStatus,
  refundedFen: Number(row.refunded_fen),
  transactionId: row.transaction_id as string | null,
  checks: Number(row.checks),
  requestHash: String(row.request_hash),
  createdAt: String(row.created_at),
  expiresAt: String(row.expires_at),
  paidAt: row.paid_at as string | null,
  title: row.title as string | null,
  payerOpenid: row.payer_openid as string | null,
  notifyUrl: row.notify_url as string | null,
  delivery: row.delivery as DeliveryState,
});

/** Reads from the primary. null: there is no such order. */
export async function findOrder(orderNo: string): Promise<Order | null> {
  const [row] = await query(`SELECT ${ORDER_COLUMNS} FROM recharge_orders o WHERE o.order_no = ?`, [orderNo]);
  return row ? orderFromRow(row) : null;
}

/**
 * The order of a provider's transaction: `4200...`, or with the provider in front. null: it was never credited here.
 */
export async function findOrderByTransaction(transaction: string): Promise<Order | null> {
  const refs = transaction.includes(':') ? [transaction] : PROVIDERS.map((provider) => `${provider}:${transaction}`);
  const [row] = await query(
    `SELECT ${ORDER_COLUMNS} FROM ledger_entries e JOIN recharge_orders o ON o.order_no = e.ref
      WHERE e.kind = 'recharge' AND e.ext_ref IN (${refs.map(() => '?').join(', ')})`,
    refs,
  );
  return row ? orderFromRow(row) : null;
}

const PROVIDERS = ['wechatpay', 'xpay', 'sandbox'];

/** Throws NOT_FOUND, both for another user's order and for one that does not exist. */
export async function ownOrder(appId: string, userId: string, orderNo: string): Promise<Order> {
  const order = /^[A-Za-z0-9]{1,32}$/.test(orderNo) ? await findOrder(orderNo) : null;
  if (order?.appId !== appId) throw new AppError('NOT_FOUND');
  if (order.userId !== userId && !(await wasMerged(order.userId, userId))) throw new AppError('NOT_FOUND');
  return order;
}

/** The orders of a user who was merged into this one are its own. */
const wasMerged = async (from: string, into: string): Promise<boolean> =>
  (await query('SELECT 1 AS found FROM users WHERE user_id = ? AND merged_into = ?', [from, into])).length > 0;

/** Orders are sorted by time, and within one millisecond by number. */
interface OrderPlace {
  /** Unix milliseconds. */
  createdAt: number;
  orderNo: string;
}

/** null: this is not a cursor of this API. */
export function readOrderCursor(cursor: string): OrderPlace | null {
  const [createdAt, orderNo] = readCursor(cursor, /^(\d{13})\.([A-Z0-9]{1,32})$/) ?? [];
  return createdAt === undefined || orderNo === undefined ? null : { createdAt: Number(createdAt), orderNo };
}

/** A page of the user's orders, newest first. */
export async function listOrders(appId: string, userId: string, { after, limit }: Page<OrderPlace>) {
  const values: SqlValue[] = [appId, userId];
  if (after) {
    const time = sqlTime(after.createdAt);
    values.push(time, time, after.orderNo);
  }
  const rows = await query(
    `SELECT ${ORDER_COLUMNS} FROM recharge_orders o WHERE o.app_id = ? AND o.user_id = ?
       ${after ? 'AND o.created_at <= ? AND (o.created_at < ? OR o.order_no < ?)' : ''}
      ORDER BY o.created_at DESC, o.order_no DESC LIMIT ${limit + 1}`,
    values,
  );
  const orders = rows.map(orderFromRow);
  const { items, next } = pageOf(orders, limit, (last) => `${Date.parse(last.createdAt)}.${last.orderNo}`);
  return { orders: items.map(publicOrder), ...next };
}

/** For support: the newest orders of a user at every app, and of those who were merged into it. */
export async function ordersOfUser(userId: string, limit: number): Promise<Order[]> {
  // Joined with the apps, which are few, so that the index over app, user and time is used for each app.
  const rows = await query(
    `SELECT ${ORDER_COLUMNS} FROM users u JOIN apps a
       JOIN recharge_orders o ON o.app_id = a.app_id AND o.user_id = u.user_id
      WHERE u.user_id = ? OR u.merged_into = ?
      ORDER BY o.created_at DESC, o.order_no DESC LIMIT ${Math.trunc(limit)}`,
    [userId, userId],
  );
  return rows.map(orderFromRow);
}

/** How a payment became known. After a crash nobody knows it any more: then it counts as a query. */
export type PaymentSource = 'push' | 'query';

/**
 * The providers that have to be told after a credit that the units were delivered. Virtual payment reads it from our
 * answer to its push; to tell it twice does no harm.
 */
const TOLD_AFTER: Record<PaymentSource, string> = { push: "'wechatpay'", query: "'wechatpay', 'xpay'" };
/** WeChat itself needs some time until all its systems know the payment. */
const FIRST_DELIVERY_CHECK = 'INTERVAL 1 MINUTE';

/** Call it only when the ledger row is durable. It may be repeated. */
export async function markPaid(
  orderNo: string,
  { transactionId, paidAt, source }: { transactionId: string; paidAt: string | null; source: PaymentSource },
): Promise<void> {
  const isTold = `provider IN (${TOLD_AFTER[source]})`;
  await writeRepeatably(
    `UPDATE recharge_orders SET status = 'paid', transaction_id = ?, paid_at = COALESCE(?, NOW(3)), next_check_at = NULL,
            delivery = IF(${isTold}, 'due', NULL),
            delivery_check_at = IF(${isTold}, NOW(3) + ${FIRST_DELIVERY_CHECK}, NULL)
      WHERE order_no = ? AND status IN ('pending', 'closed')`,
    [transactionId, paidAt === null ? null : sqlTime(paidAt), orderNo],
  );
}
