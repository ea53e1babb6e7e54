import { writeRepeatably } from '../db.ts';
import type { Order } from './order.ts';
import { settlePayment } from './payment.ts';
import type { OrderAtProvider, Provider } from './provider.ts';

type CheckedOrder = OrderAtProvider & Pick<Order, 'status' | 'expiresAt'>;

/**
 * Brings an order that is not paid to the state that it has at the provider: asks, credits a payment, and marks an
 * order as closed that ended there. An order that is over (by default: expired) is closed at the provider first.
 * `closed`: marked so now. `ended`: it was before. `open`: it can still be paid. Throws UNAVAILABLE, NOTICE_MISMATCH, EngineError.
 */
export async function checkOrder(
  provider: Provider,
  order: CheckedOrder,
  { now = Date.now(), isOver = Date.parse(order.expiresAt) <= now }: { now?: number; isOver?: boolean } = {},
): Promise<'credited' | 'known' | 'closed' | 'ended' | 'open'> {
  const { orderNo } = order;
  let asked = await provider.ask(order);
  if (asked.state === 'open' && isOver) {
    // A payment between the question and the close is credited as well.
    asked = (await provider.close(orderNo)) === 'paid' ? await provider.ask(order) : { state: 'ended' };
  }
  if (asked.state === 'paid') return settlePayment(asked.payment, 'query');
  if (asked.state === 'open') return 'open';
  return order.status === 'pending' && (await closeOrder(orderNo)) ? 'closed' : 'ended';
}

/** Money that arrives for a closed order is still credited. true: it was pending. */
export async function closeOrder(orderNo: string): Promise<boolean> {
  const { rowsAffected } = await writeRepeatably(
    "UPDATE recharge_orders SET status = 'closed' WHERE order_no = ? AND status = 'pending'",
    [orderNo],
  );
  return rowsAffected === 1;
}
