import { AppError } from '../errors.ts';
import { findEntry } from './entry.ts';
import { findOrder, markPaid, type Order } from './order.ts';
import { settlePayment, transactionOf } from './payment.ts';
import { providerOf } from './providers.ts';

/** Asks the provider for the state of an order, credits it if it was paid, and returns the order after that. */
export async function syncOrder(order: Order): Promise<Order> {
  if (order.status !== 'pending' && order.status !== 'closed') return order;
  const { orderNo } = order;
  const entry = await findEntry('recharge', orderNo);
  if (entry) {
    // It is credited, and the process that should mark it crashed. The provider is not asked.
    await markPaid(orderNo, transactionOf(entry.extRef), entry.createdAt);
    return (await findOrder(orderNo)) ?? order;
  }
  const provider = await providerOf(order);
  if (!provider) throw new AppError('UNAVAILABLE', 'The payment provider is not set up.', { retryAfterSeconds: 60 });
  const asked = await provider.ask(orderNo);
  if (asked.state === 'paid') await settlePayment(asked.payment);
  else if (asked.state === 'open' || order.status === 'closed') return order;
  return (await findOrder(orderNo)) ?? order;
}
