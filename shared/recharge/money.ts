import { query, type Row, type Transaction } from '../db.ts';

/**
 * What a user has in wallets, and money that is on its way, over all apps. Orders of users who were merged into this one
 * are its own: what they bring or take is in its wallet.
 */
export interface MoneyAtApp {
  appId: string;
  /** Over all assets. */
  units: number;
  /** Of these, what holds keep. */
  held: number;
  openOrders: number;
  refunds: number;
}

/** The user `u` itself, or one who was merged into it. Two values. */
const IS_OR_WAS = '(u.user_id = ? OR u.merged_into = ?)';

/**
 * Apps where something is left, and no others. `query`: of a transaction that has locked the row of the user, which
 * every ledger entry and every order locks, too. Each app is looked up by the index that begins with it.
 */
export async function moneyOf(userId: string, query: Transaction['query']): Promise<MoneyAtApp[]> {
  const rows = await query(
    `SELECT a.app_id,
            (SELECT COALESCE(SUM(e.delta), 0) FROM ledger_entries e WHERE e.app_id = a.app_id AND e.user_id = ?) AS units,
            (SELECT COALESCE(SUM(h.held_after), 0) FROM ledger_entries h
              WHERE h.app_id = a.app_id AND h.user_id = ? AND h.seq = 0) AS held,
            (SELECT COUNT(*) FROM users u JOIN recharge_orders o ON o.app_id = a.app_id AND o.user_id = u.user_id
              WHERE ${IS_OR_WAS} AND o.status = 'pending') AS open_orders,
            (SELECT COUNT(*) FROM users u JOIN recharge_orders o ON o.app_id = a.app_id AND o.user_id = u.user_id
               JOIN refunds r ON r.order_no = o.order_no
              WHERE ${IS_OR_WAS} AND r.status IN ('accepted', 'cancelling', 'processing')) AS refunds
       FROM apps a`,
    [userId, userId, userId, userId, userId, userId],
  );
  const apps = rows.map((row) => ({
    appId: String(row.app_id),
    units: Number(row.units),
    held: Number(row.held),
    openOrders: Number(row.open_orders),
    refunds: Number(row.refunds),
  }));
  return apps.filter(({ units, held, openOrders, refunds }) =>
    [units, held, openOrders, refunds].some((left) => left !== 0),
  );
}

/** Whether the user has ever ordered or received anything. `query`: as above. */
export async function hasMoneyHistory(userId: string, query: Transaction['query']): Promise<boolean> {
  const rows = await query(
    `SELECT a.app_id FROM apps a
      WHERE EXISTS (SELECT 1 FROM ledger_entries e WHERE e.app_id = a.app_id AND e.user_id = ?)
         OR EXISTS (SELECT 1 FROM users u JOIN recharge_orders o ON o.app_id = a.app_id AND o.user_id = u.user_id
                     WHERE ${IS_OR_WAS})
      LIMIT 1`,
    [userId, userId, userId],
  );
  return rows.length > 0;
}

/**
 * Orders, refunds and ledger entries of the user, and of users who were merged into it, at all apps; the newest `limit`
 * of each.
 */
export async function exportMoney(userId: string, limit: number) {
  const [orders, refunds, entries] = await Promise.all([
    query(
      `SELECT o.order_no, o.app_id, o.product_id, o.provider, o.amount_fen, o.currency, o.units, o.status, o.refunded_fen,
              o.transaction_id, o.paid_at, o.created_at
         FROM users u JOIN apps a JOIN recharge_orders o ON o.app_id = a.app_id AND o.user_id = u.user_id
        WHERE ${IS_OR_WAS} ORDER BY o.created_at DESC LIMIT ?`,
      [userId, userId, limit],
    ),
    query(
      `SELECT r.refund_no, r.order_no, r.amount_fen, r.units, r.status, r.created_at
         FROM users u JOIN apps a JOIN recharge_orders o ON o.app_id = a.app_id AND o.user_id = u.user_id
         JOIN refunds r ON r.order_no = o.order_no WHERE ${IS_OR_WAS} ORDER BY r.created_at DESC LIMIT ?`,
      [userId, userId, limit],
    ),
    query(
      `SELECT e.app_id, e.asset, e.seq, e.delta, e.balance_after, e.kind, e.ref, e.reason, e.created_at
         FROM users u JOIN apps a JOIN ledger_entries e ON e.app_id = a.app_id AND e.user_id = u.user_id AND e.seq > 0
        WHERE ${IS_OR_WAS} ORDER BY e.created_at DESC, e.seq DESC LIMIT ?`,
      [userId, userId, limit],
    ),
  ]);
  return { orders: orders.map(inCamelCase), refunds: refunds.map(inCamelCase), entries: entries.map(inCamelCase) };
}

const inCamelCase = (row: Row): Row =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [name.replace(/_(\w)/g, (_, letter) => letter.toUpperCase()), value]),
  );
