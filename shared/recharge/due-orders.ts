import { query, writeRepeatably } from '../db.ts';
import { ORDER_COLUMNS, type Order, orderFromRow } from './order.ts';
import { transactionOf } from './payment.ts';

/** An order that is due for a check. */
export interface DueOrder extends Order {
  /** It was credited, and the process that should mark it crashed. null: it was not credited. */
  credited: { transactionId: string; paidAt: string } | null;
}

const ORDERS_AT_ONCE = 200;
/** Of one user, while others wait: the rest of its orders is due again a minute later. */
const OF_ONE_USER = 10;

/**
 * The orders that are due, the ones that wait longest first, and no more of one user than its share: somebody who opens
 * many orders does not delay the payment of another. `more`: others are due, too.
 */
export async function dueOrders(): Promise<{ orders: DueOrder[]; more: boolean }> {
  const rows = await query(
    `SELECT ${ORDER_COLUMNS}, e.ext_ref, e.created_at AS credited_at FROM recharge_orders o
       LEFT JOIN ledger_entries e ON e.kind = 'recharge' AND e.ref = o.order_no
      WHERE o.next_check_at <= NOW(3) AND o.status IN ('pending', 'closed')
      ORDER BY o.next_check_at LIMIT ${ORDERS_AT_ONCE}`,
  );
  const due = rows.map((row): DueOrder => {
    const credited =
      row.credited_at === null
        ? null
        : { transactionId: transactionOf(row.ext_ref as string | null), paidAt: String(row.credited_at) };
    return { ...orderFromRow(row), credited };
  });
  const more = due.length === ORDERS_AT_ONCE;
  return { orders: more ? await fairPart(due) : due, more };
}

async function fairPart(due: readonly DueOrder[]): Promise<DueOrder[]> {
  const counted = new Map<string, number>();
  const [now, later]: [DueOrder[], DueOrder[]] = [[], []];
  for (const order of due) {
    const owner = `${order.appId}/${order.userId}`;
    const number = (counted.get(owner) ?? 0) + 1;
    counted.set(owner, number);
    (number > OF_ONE_USER ? later : now).push(order);
  }
  if (later.length > 0) await postpone(later);
  return now;
}

/** It may be repeated: an order that another sweeper has claimed meanwhile is left alone. */
const postpone = (orders: readonly DueOrder[]) =>
  writeRepeatably(
    `UPDATE recharge_orders SET next_check_at = NOW(3) + INTERVAL 1 MINUTE
      WHERE order_no IN (${orders.map(() => '?').join(', ')}) AND next_check_at <= NOW(3)`,
    orders.map(({ orderNo }) => orderNo),
  );
