import { type Fragment, sql } from '../sql-fragment.ts';
import { appendOnce } from './append.ts';
import { forgetBalance } from './balance.ts';
import { IS_OF_ANOTHER, ORDER_USER, ORDER_WALLET, walletTouched } from './order-wallet.ts';

/** The units of a refund in the ledger: one statement takes them, one returns them, each once for a refund. */
interface RefundOfOrder {
  refundNo: string;
  orderNo: string;
}

/** Takes the units of the refund; the balance may become negative. */
export async function takeUnits(refund: RefundOfOrder): Promise<void> {
  const taken = await move(refund, { kind: 'refund', delta: sql`-r.units`, guard: sql`r.status <> 'closed'` });
  // Without its units, a refund must not send money.
  if (taken.outcome === 'refused') throw new Error('a refund took no units');
}

/** The units of a refund that succeeded are never returned. */
export async function returnUnits(refund: RefundOfOrder): Promise<void> {
  await move(refund, {
    kind: 'refund_reversal',
    delta: sql`CAST(r.units AS SIGNED)`,
    guard: sql`r.status <> 'success'`,
  });
}

async function move(
  { refundNo, orderNo }: RefundOfOrder,
  { kind, delta, guard }: { kind: 'refund' | 'refund_reversal'; delta: Fragment; guard: Fragment },
) {
  const event = { kind, ref: refundNo };
  const appended = await appendOnce({
    ...event,
    from: sql`recharge_orders o JOIN refunds r ON r.order_no = o.order_no AND r.refund_no = ${refundNo} ${ORDER_USER}`,
    where: sql`o.order_no = ${orderNo} AND ${guard}`,
    wallet: ORDER_WALLET,
    delta,
    contra: sql`CONCAT(o.provider, ':clearing')`,
    reason: sql`r.reason`,
    report: IS_OF_ANOTHER,
  });
  await forgetBalance(await walletTouched(orderNo, event, appended));
  return appended;
}
