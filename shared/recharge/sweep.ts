import { query, write, writeRepeatably } from '../db.ts';
import { AppError, EngineError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { ORDER_COLUMNS, type Order, orderFromRow } from './order.ts';
import { repairMarks, settlePayment } from './payment.ts';
import { providerOf } from './providers.ts';
import { advanceRefund, dueRefunds, type Refund } from './refund.ts';

/**
 * The schedule behind the notifications: asks providers about orders that nobody has told us of, closes what has expired,
 * credits what was paid after all, drives refunds on, and repairs marks. Two at once do no harm: each order is claimed
 * by moving its next check, and everything after is as repeatable as a notification.
 */
interface Sweep {
  repaired: number;
  asked: number;
  credited: number;
  closed: number;
  refunds: number;
  failed: number;
}

const BATCH = 50;

/** Works until nothing is due or `stopAt` has come by the clock `now` (both Unix milliseconds). */
export async function sweepRecharge({
  stopAt,
  now = Date.now,
}: {
  stopAt: number;
  now?: () => number;
}): Promise<Sweep> {
  const sweep: Sweep = { repaired: 0, asked: 0, credited: 0, closed: 0, refunds: 0, failed: 0 };
  await attempt(sweep, async () => {
    sweep.repaired = await repairMarks();
  });
  for (let more = true; more && now() < stopAt; ) {
    const orders = await dueOrders();
    const refunds = await dueRefunds(BATCH);
    more = orders.length === BATCH || refunds.length === BATCH;
    for (const order of orders) if (now() < stopAt) await attempt(sweep, () => sweepOrder(order, sweep, now()));
    for (const refund of refunds) if (now() < stopAt) await attempt(sweep, () => sweepRefund(refund, sweep));
  }
  for (const [name, number] of Object.entries(sweep)) if (number > 0) count(`recharge.sweep.${name}`, number);
  return sweep;
}

/** What fails is due again by its backoff; the others go on. */
async function attempt(sweep: Sweep, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    sweep.failed++;
    const expected = error instanceof AppError || error instanceof EngineError;
    if (!expected) alarm('sweep-failed', { error: error instanceof Error ? error.name : typeof error });
  }
}

async function dueOrders(): Promise<Order[]> {
  const rows = await query(
    `SELECT ${ORDER_COLUMNS} FROM recharge_orders o
      WHERE o.status IN ('pending', 'closed') AND o.next_check_at <= NOW(3) ORDER BY o.next_check_at LIMIT ${BATCH}`,
  );
  return rows.map(orderFromRow);
}

async function sweepOrder(order: Order, sweep: Sweep, now: number): Promise<void> {
  const next = nextOrderCheck(order, now);
  // The last check is claimed like any other: whoever dies in it leaves it to the next day.
  if (!(await claim('recharge_orders', 'order_no', order.orderNo, order.checks, next ?? 24 * HOUR))) return;
  const provider = await providerOf(order);
  if (!provider) {
    if (next === null) await giveUp(order);
    throw new AppError('UNAVAILABLE');
  }
  sweep.asked++;
  let asked = await provider.ask(order.orderNo);
  if (asked.state === 'open' && Date.parse(order.expiresAt) <= now) {
    // Who pays between the question and the close is credited all the same.
    asked = (await provider.close(order.orderNo)) === 'paid' ? await provider.ask(order.orderNo) : { state: 'ended' };
  }
  if (asked.state === 'paid') {
    if ((await settlePayment(asked.payment)) === 'credited') sweep.credited++;
  } else if (asked.state === 'ended' && order.status === 'pending') {
    const { rowsAffected } = await writeRepeatably(
      "UPDATE recharge_orders SET status = 'closed' WHERE order_no = ? AND status = 'pending'",
      [order.orderNo],
    );
    sweep.closed += rowsAffected;
  } else if (next === null) {
    await giveUp(order);
  }
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
    alarm('refund-stuck', { orderNo: refund.orderNo, refundNo: refund.refundNo });
  }
}

/** Moves the next check; false: another sweeper has done so. */
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
 * 15 s, 30 s, 1 min, ... up to 10 min while it can be paid; once a little after the end; then ever more rarely for
 * three days, since money may arrive after a close. null: never again.
 */
export function nextOrderCheck(order: Order, now = Date.now()): number | null {
  const untilEnd = Math.ceil((Date.parse(order.expiresAt) - now) / 1000);
  if (untilEnd > 0) return Math.min(15 * 2 ** Math.min(order.checks + 1, 6), 600, untilEnd + 5);
  if (untilEnd > -HOUR) return 600;
  if (untilEnd > -24 * HOUR) return 3 * HOUR;
  if (untilEnd > -72 * HOUR || order.status === 'pending') return 24 * HOUR;
  return null;
}
