import { AppError } from '../errors.ts';
import { checkOrder } from './check-order.ts';
import { findEntry } from './entry.ts';
import { findOrder, markPaid, type Order } from './order.ts';
import { transactionOf } from './payment.ts';
import { providerOf } from './providers.ts';

/**
 * Asks the provider for the state of an order, credits it if it was paid, closes it if it is over, and returns the
 * order after that. `isOver`: as at checkOrder(). Throws UNAVAILABLE and what checkOrder() throws.
 */
export async function syncOrder(order: Order, options: { now?: number; isOver?: boolean } = {}): Promise<Order> {
  if (order.status !== 'pending' && order.status !== 'closed') return order;
  const { orderNo } = order;
  const entry = await findEntry('recharge', orderNo);
  if (entry) {
    // It is credited, and the process that should mark it crashed. The provider is not asked.
    await markPaid(orderNo, { transactionId: transactionOf(entry.extRef), paidAt: entry.createdAt, source: 'query' });
    return (await findOrder(orderNo)) ?? order;
  }
  const provider = await providerOf(order);
  if (!provider) throw new AppError('UNAVAILABLE', 'The payment provider is not set up.', { retryAfterSeconds: 60 });
  const found = await checkOrder(provider, order, options);
  return found === 'open' || found === 'ended' ? order : ((await findOrder(orderNo)) ?? order);
}
