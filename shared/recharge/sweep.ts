import { write, writeRepeatably } from '../db.ts';
import { AppError, EngineError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { checkOrder, closeOrder } from './check-order.ts';
import { sweepDelivery } from './delivery.ts';
import { dueDeliveries } from './delivery-record.ts';
import { type DueOrder, dueOrders } from './due-orders.ts';
import { expireDue } from './expiry.ts';
import { findOrder, markPaid, type Order } from './order.ts';
import type { Provider } from './provider.ts';
import { providerOf } from './providers.ts';
import { whyUnreachable } from './reach.ts';
import { dueRefunds, type Refund } from './refund-record.ts';
import { advanceRefund } from './refund-steps.ts';

/**
 * Runs on a schedule and does what notifications did not: it asks providers about open orders, closes those that
 * expired, credits late payments, marks orders that were credited, continues refunds, tells WeChat what was delivered,
 * and ends holds and lots. Two sweepers may run at the same time: each order is claimed by moving its next check, and
 * all later steps may be repeated.
 */
interface Sweep {
  repaired: number;
  asked: number;
  credited: number;
  closed: number;
  refunds: number;
  /** Orders whose delivery WeChat knows now. */
  delivered: number;
  /** Holds and lots whose time is over. */
  expired: number;
  failed: number;
}

/** A provider answers slowly, and many orders may wait. */
const ASKED_AT_ONCE = 20;
const REFUNDS_AT_ONCE = 50;
const DELIVERIES_AT_ONCE = 50;

/** Works until nothing is due, or until `stopAt` by the clock `now` (both Unix milliseconds). */
export async function sweepRecharge({
  stopAt,
  now = Date.now,
}: {
  stopAt: number;
  now?: () => number;
}): Promise<Sweep> {
  const sweep: Sweep = {
    repaired: 0,
    asked: 0,
    credited: 0,
    closed: 0,
    refunds: 0,
    delivered: 0,
    expired: 0,
    failed: 0,
  };
  const needed = new Map<Provider, Promise<boolean>>();
  const inTime = () => now() < stopAt;
  const each = <T>(items: readonly T[], work: (item: T) => Promise<void>) =>
    inParallel(items, inTime, (item) => attempt(sweep, () => work(item)));
  for (let more = true; more && inTime(); ) {
    more = false;
    await attempt(sweep, async () => {
      const due = await dueOrders();
      more ||= due.more;
      await each(due.orders, (order) => sweepOrder(order, sweep, now()));
    });
    await attempt(sweep, async () => {
      const refunds = await dueRefunds(REFUNDS_AT_ONCE);
      more ||= refunds.length === REFUNDS_AT_ONCE;
      await each(refunds, (refund) => sweepRefund(refund, sweep));
    });
    await attempt(sweep, async () => {
      const deliveries = await dueDeliveries(DELIVERIES_AT_ONCE);
      more ||= deliveries.length === DELIVERIES_AT_ONCE;
      await each(deliveries, async (order) => {
        if (await sweepDelivery(order, needed)) sweep.delivered++;
      });
    });
    await attempt(sweep, async () => {
      sweep.expired += await expireDue(inTime, (work) => attempt(sweep, work));
    });
  }
  for (const [name, number] of Object.entries(sweep)) if (number > 0) count(`recharge.sweep.${name}`, number);
  return sweep;
}

async function inParallel<T>(items: readonly T[], inTime: () => boolean, work: (item: T) => Promise<unknown>) {
  const left = items.values();
  const worker = async (): Promise<void> => {
    for (const item of left) {
      if (!inTime()) return;
      await work(item);
    }
  };
  await Promise.all(Array.from({ length: Math.min(ASKED_AT_ONCE, items.length) }, worker));
}

/** false: the item failed. It is due again later, and the sweep continues with the others. */
async function attempt(sweep: Sweep, work: () => Promise<void>): Promise<boolean> {
  try {
    await work();
    return true;
  } catch (error) {
    sweep.failed++;
    const expected = error instanceof AppError || error instanceof EngineError;
    if (!expected) alarm('sweep-failed', { error: error instanceof Error ? error.name : typeof error });
    return false;
  }
}

async function sweepOrder(order: DueOrder, sweep: Sweep, now: number): Promise<void> {
  if (order.credited) {
    await markPaid(order.orderNo, { ...order.credited, source: 'query' });
    sweep.repaired++;
    return;
  }
  const next = nextOrderCheck(order, now);
  // The last check is also claimed, for one day: if this process crashes, the next day's sweep repeats it.
  if (!(await claim('recharge_orders', 'order_no', order.orderNo, order.checks, next ?? 24 * HOUR))) return;
  const provider = await providerOf(order);
  if (!provider) return sweepWithoutMerchant(order, next, sweep, now);
  sweep.asked++;
  const found = await checkOrder(provider, order, { now });
  if (found === 'credited') sweep.credited++;
  else if (found === 'closed') sweep.closed++;
  else if (found !== 'known' && next === null) await giveUp(order);
}

/** Its merchant was removed. Nobody can pay it any more; what was paid is credited when the merchant is set again. */
async function sweepWithoutMerchant(order: DueOrder, next: number | null, sweep: Sweep, now: number): Promise<void> {
  if (next === null) await giveUp(order);
  const isLongOver = now - Date.parse(order.expiresAt) >= 72 * HOUR * 1000;
  if (order.status !== 'pending' || !isLongOver) throw new AppError('UNAVAILABLE');
  alarm('order-without-merchant', { orderNo: order.orderNo });
  if (await closeOrder(order.orderNo)) sweep.closed++;
}

const giveUp = ({ orderNo }: Order) =>
  writeRepeatably("UPDATE recharge_orders SET next_check_at = NULL WHERE order_no = ? AND status = 'closed'", [
    orderNo,
  ]);

async function sweepRefund(refund: Refund, sweep: Sweep): Promise<void> {
  const seconds = Math.min(6 * 3_600, 30 * 2 ** refund.checks);
  if (!(await claim('refunds', 'refund_no', refund.refundNo, refund.checks, seconds))) return;
  sweep.refunds++;
  const { status, checks } = await advanceRefund(refund);
  if (checks === 12 && status !== 'success' && status !== 'closed') {
    const { orderNo, refundNo } = refund;
    alarm('refund-stuck', { orderNo, refundNo, why: await whyUnreachable(await findOrder(orderNo)) });
  }
}

/** Moves the next check. false: another sweeper was first. */
async function claim(
  table: 'recharge_orders' | 'refunds',
  key: 'order_no' | 'refund_no',
  number: string,
  checks: number,
  seconds: number,
): Promise<boolean> {
  const { rowsAffected } = await write(
    `UPDATE ${table} SET checks = checks + 1, next_check_at = NOW(3) + INTERVAL ? SECOND WHERE ${key} = ? AND checks = ?`,
    [seconds, number, checks],
  );
  return rowsAffected === 1;
}

const HOUR = 3_600;

/**
 * 15 s, 30 s, 1 min, ... up to 10 min while the order can be paid. Then once shortly after its end, and less and less
 * often for three days, because money may arrive after a close. null: no further check.
 */
export function nextOrderCheck(order: Order, now = Date.now()): number | null {
  const untilEnd = Math.ceil((Date.parse(order.expiresAt) - now) / 1000);
  if (untilEnd > 0) return Math.min(15 * 2 ** Math.min(order.checks + 1, 6), 600, untilEnd + 5);
  if (untilEnd > -HOUR) return 600;
  if (untilEnd > -24 * HOUR) return 3 * HOUR;
  if (untilEnd > -72 * HOUR || order.status === 'pending') return 24 * HOUR;
  return null;
}
