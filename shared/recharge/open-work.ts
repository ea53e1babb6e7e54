import type { query } from '../db.ts';
import type { MerchantId } from './merchant.ts';

/** What would be stuck without a merchant. */
export interface OpenWork {
  openOrders: number;
  runningRefunds: number;
  /** The apps that name this merchant. */
  apps: string[];
}

/** Each open order and running refund has a time of its next check, so the index over it keeps this fast. `ask`: query, also of a transaction. */
export async function openWorkOf(merchant: MerchantId, ask: typeof query): Promise<OpenWork> {
  const { provider, providerAppId, merchantId } = merchant;
  const bound = [provider, providerAppId, merchantId];
  const [orders] = await ask(
    `SELECT COUNT(*) AS n FROM recharge_orders o WHERE o.next_check_at IS NOT NULL AND o.status = 'pending'
        AND o.provider = ? AND o.provider_app_id = ? AND o.merchant_id = ?`,
    bound,
  );
  const [refunds] = await ask(
    `SELECT COUNT(*) AS n FROM refunds r JOIN recharge_orders o ON o.order_no = r.order_no
      WHERE r.next_check_at IS NOT NULL AND r.status IN ('accepted', 'cancelling', 'processing', 'abnormal')
        AND o.provider = ? AND o.provider_app_id = ? AND o.merchant_id = ?`,
    bound,
  );
  const apps = await ask(
    'SELECT app_id FROM app_merchants WHERE provider = ? AND provider_app_id = ? AND merchant_id = ? ORDER BY app_id',
    bound,
  );
  return {
    openOrders: Number(orders?.n),
    runningRefunds: Number(refunds?.n),
    apps: apps.map(({ app_id }) => String(app_id)),
  };
}

export const isBusy = ({ openOrders, runningRefunds }: OpenWork): boolean => openOrders + runningRefunds > 0;

export const sayOpenWork = ({ openOrders, runningRefunds }: OpenWork): string =>
  `${openOrders} open orders and ${runningRefunds} running refunds`;
