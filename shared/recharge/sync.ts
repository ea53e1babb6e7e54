import { AppError } from '../errors.ts';
import { findOrder, type Order } from './order.ts';
import { settlePayment } from './payment.ts';
import { findProvider } from './providers.ts';

/** Asks the provider what became of an order, credits it when it was paid, and gives the order as it then is. */
export async function syncOrder(order: Order): Promise<Order> {
  if (order.status !== 'pending' && order.status !== 'closed') return order;
  const provider = await findProvider(order.provider);
  if (!provider) throw new AppError('UNAVAILABLE', 'The payment provider is not set up.', { retryAfterSeconds: 60 });
  const asked = await provider.ask(order.orderNo);
  if (asked.state === 'paid') await settlePayment(asked.payment);
  else if (asked.state === 'open' || order.status === 'closed') return order;
  return (await findOrder(order.orderNo)) ?? order;
}
