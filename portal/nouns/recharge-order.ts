import { AppError } from '../../shared/errors.ts';
import { findOrder, findOrderByTransaction, type Order } from '../../shared/recharge/order.ts';
import { type Given, UsageError } from '../command.ts';

/** Throws NOT_FOUND with a sentence. */
export async function knownOrder(orderNo: string): Promise<Order> {
  const order = await findOrder(orderNo);
  if (!order) throw new AppError('NOT_FOUND', `There is no order ${orderNo}.`);
  return order;
}

/** The order of `--order` or `--transaction`. Throws UsageError, NOT_FOUND with a sentence. */
export async function givenOrder(given: Given): Promise<Order> {
  const [orderNo, transaction] = [given.optional('order'), given.optional('transaction')];
  if (orderNo !== undefined && transaction === undefined) return knownOrder(orderNo);
  if (transaction === undefined || orderNo !== undefined) throw new UsageError('give --order or --transaction');
  const order = await findOrderByTransaction(transaction);
  if (!order) {
    throw new AppError(
      'NOT_FOUND',
      `No order was credited for transaction ${transaction}. Look for the order: "recharge list --user ID", then "recharge sync --order NO".`,
    );
  }
  return order;
}
