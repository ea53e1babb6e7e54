import { query, write, writeRepeatably } from '../db.ts';
import { changeOnce } from './logged-change.ts';
import type { MerchantId } from './merchant.ts';
import { ORDER_COLUMNS, type Order, orderFromRow } from './order.ts';

/**
 * The report to WeChat that the units of an order were delivered, as it is stored with the order: none -> due ->
 * reported | refused. An operator can make it due again. The ledger does not depend on it.
 */
export interface DueDelivery extends Order {
  /** How often it was tried. */
  deliveryChecks: number;
}

/** Those that are due, the ones that wait longest first. */
export async function dueDeliveries(limit: number): Promise<DueDelivery[]> {
  const rows = await query(
    `SELECT ${ORDER_COLUMNS}, o.delivery_checks FROM recharge_orders o
      WHERE o.delivery_check_at <= NOW(3) AND o.delivery = 'due' ORDER BY o.delivery_check_at LIMIT ${limit}`,
  );
  return rows.map((row) => ({ ...orderFromRow(row), deliveryChecks: Number(row.delivery_checks) }));
}

/** Moves the next check. false: another sweeper was first. */
export async function claimDelivery({ orderNo, deliveryChecks }: DueDelivery, nextInSeconds: number): Promise<boolean> {
  const { rowsAffected } = await write(
    `UPDATE recharge_orders SET delivery_checks = delivery_checks + 1, delivery_check_at = NOW(3) + INTERVAL ? SECOND
      WHERE order_no = ? AND delivery = 'due' AND delivery_checks = ?`,
    [nextInSeconds, orderNo, deliveryChecks],
  );
  return rowsAffected === 1;
}

/** It may be repeated. true: this call ended it. */
export async function endDelivery(orderNo: string, end: 'reported' | 'refused'): Promise<boolean> {
  const { rowsAffected } = await writeRepeatably(
    "UPDATE recharge_orders SET delivery = ?, delivery_check_at = NULL WHERE order_no = ? AND delivery = 'due'",
    [end, orderNo],
  );
  return rowsAffected === 1;
}

/** For a mini-program that has to report nothing: all its orders are done, in one statement. */
export const dropDeliveries = ({ provider, providerAppId }: Omit<MerchantId, 'merchantId'>) =>
  writeRepeatably(
    `UPDATE recharge_orders SET delivery = NULL, delivery_check_at = NULL
      WHERE delivery_check_at IS NOT NULL AND delivery = 'due' AND provider = ? AND provider_app_id = ?`,
    [provider, providerAppId],
  );

/** For an operator: reports it again from the beginning. false: it is due now, or cannot be reported. */
export const renewDelivery = (orderNo: string, actor: string): Promise<boolean> =>
  changeOnce(
    `UPDATE recharge_orders SET delivery = 'due', delivery_checks = 0, delivery_check_at = NOW(3)
      WHERE order_no = ? AND provider IN ('wechatpay', 'xpay') AND status IN ('paid', 'partial_refund', 'refunded')
        AND NOT (delivery <=> 'due' AND delivery_checks = 0)`,
    [orderNo],
    { actor, action: 'recharge.deliver', subject: orderNo },
  );
