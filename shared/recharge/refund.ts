import { repeatOnContention } from '../contention.ts';
import { query, type Row, writeRepeatably } from '../db.ts';
import { AppError, ER_DUP_ENTRY, invalidInput, SqlError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { refundNumber } from './numbers.ts';
import { findOrder } from './order.ts';
import type { RefundState } from './provider.ts';
import { providerOf } from './providers.ts';
import { returnUnits, takeUnits } from './refund-units.ts';

/**
 * Refunds: accepted -> processing -> success | closed | abnormal. The units leave the wallet first, the money goes back
 * after, always under the same number; when the provider closes a refund, the units come back. Units that were spent
 * make the balance negative, and the next recharge nets the debt.
 */
export interface Refund {
  refundNo: string;
  orderNo: string;
  amountFen: number;
  units: number;
  status: 'accepted' | RefundState;
  /** null: none was given. */
  reason: string | null;
  checks: number;
  createdAt: string;
}

const COLUMNS = 'refund_no, order_no, amount_fen, units, status, reason, checks, created_at';
const refundFromRow = (row: Row): Refund => ({
  refundNo: String(row.refund_no),
  orderNo: String(row.order_no),
  amountFen: Number(row.amount_fen),
  units: Number(row.units),
  status: row.status as Refund['status'],
  reason: row.reason as string | null,
  checks: Number(row.checks),
  createdAt: String(row.created_at),
});

/** null: there is none. */
export async function findRefund(refundNo: string): Promise<Refund | null> {
  const [row] = await query(`SELECT ${COLUMNS} FROM refunds WHERE refund_no = ?`, [refundNo]);
  return row ? refundFromRow(row) : null;
}

export async function refundsOf(orderNo: string): Promise<Refund[]> {
  const rows = await query(`SELECT ${COLUMNS} FROM refunds WHERE order_no = ? ORDER BY created_at, refund_no`, [
    orderNo,
  ]);
  return rows.map(refundFromRow);
}

/** Due to be driven on, the longest waiting first. */
export async function dueRefunds(limit: number): Promise<Refund[]> {
  const rows = await query(
    `SELECT ${COLUMNS} FROM refunds
      WHERE status IN ('accepted', 'processing', 'abnormal', 'success') AND next_check_at <= NOW(3)
      ORDER BY next_check_at LIMIT ${limit}`,
  );
  return rows.map(refundFromRow);
}

/**
 * Asks for a refund once per key, and drives it as far as it goes now; the sweeper does the rest. Throws NOT_FOUND,
 * INVALID_INPUT (not paid, or more than is left of the payment), IDEMPOTENCY_KEY_REUSED (another amount).
 */
export async function requestRefund(wanted: {
  orderNo: string;
  amountFen: number;
  key: string;
  reason?: string;
}): Promise<Refund> {
  const { orderNo, amountFen, key, reason = null } = wanted;
  const refundNo = refundNumber(orderNo, key);
  if (!Number.isSafeInteger(amountFen) || amountFen < 1) throw refused('amountFen', 'expected a positive integer');
  if (reason !== null && (reason.length > 80 || !/^[^\p{Cc}\p{Cs}]+$/u.test(reason)))
    throw refused('reason', 'expected 1 to 80 characters');
  const order = await findOrder(orderNo);
  if (!order) throw new AppError('NOT_FOUND');
  const provider = await providerOf(order);
  if (!provider) throw refused('orderNo', 'its merchant is not set up here');
  if (!provider.refunds) throw refused('orderNo', `refunds of ${provider.name} are made at its console`);
  await acceptRefund(refundNo, orderNo, amountFen, reason);
  const refund = await findRefund(refundNo);
  if (!refund) throw await whyRefused(orderNo);
  if (refund.amountFen !== amountFen) throw new AppError('IDEMPOTENCY_KEY_REUSED');
  return advanceRefund(refund);
}

/**
 * A refund that the provider made without our asking: its units leave the wallet as those of any other, once per
 * reference. Only for providers whose `refund` moves no money (`refunds: false`): it must not go back twice.
 * Throws NOT_FOUND (no such order), NOTICE_MISMATCH (not paid here, or more than is left of the payment).
 */
export async function recordMadeRefund(made: { orderNo: string; reference: string; refundFen: number }): Promise<void> {
  const { orderNo, reference, refundFen } = made;
  const refundNo = refundNumber(orderNo, `made:${reference}`);
  await acceptRefund(refundNo, orderNo, refundFen, null);
  const refund = await findRefund(refundNo);
  if (refund?.amountFen === refundFen) return void (await advanceRefund(refund));
  if (!(await findOrder(orderNo))) throw new AppError('NOT_FOUND');
  alarm('notification-mismatch', { orderNo, difference: 'refund' });
  throw new AppError('NOTICE_MISMATCH');
}

const FIRST_CHECK_SECONDS = 30;
const OTHERS = "FROM refunds r WHERE r.order_no = o.order_no AND r.status <> 'closed'";

/**
 * One statement: the order's row is its lock, so that the sum of many at once never passes what was paid. Units follow
 * the sum in proportion and are rounded down, so that refunding all takes back exactly what was credited.
 */
async function acceptRefund(refundNo: string, orderNo: string, fen: number, reason: string | null): Promise<void> {
  const accept = () =>
    writeRepeatably(
      `INSERT INTO refunds (refund_no, order_no, amount_fen, units, reason, next_check_at)
       SELECT ?, o.order_no, ?,
              GREATEST(0, (o.units * (? + (SELECT COALESCE(SUM(r.amount_fen), 0) ${OTHERS}))) DIV o.amount_fen
                          - (SELECT COALESCE(SUM(r.units), 0) ${OTHERS})),
              ?, NOW(3) + INTERVAL ${FIRST_CHECK_SECONDS} SECOND
         FROM recharge_orders o
        WHERE o.order_no = ? AND o.status IN ('paid', 'partial_refund')
          AND ? + (SELECT COALESCE(SUM(r.amount_fen), 0) ${OTHERS}) <= o.amount_fen
          FOR UPDATE`,
      [refundNo, fen, fen, reason, orderNo, fen],
    );
  try {
    // Refunds of different orders may want the same gap of the index, so many at once meet more than three times.
    await repeatOnContention(accept, { tries: 8 });
  } catch (error) {
    if (!(error instanceof SqlError && error.errno === ER_DUP_ENTRY)) throw error;
  }
}

async function whyRefused(orderNo: string): Promise<AppError> {
  const order = await findOrder(orderNo);
  if (!order) return new AppError('NOT_FOUND');
  const asked = (await refundsOf(orderNo)).filter(({ status }) => status !== 'closed');
  const left = order.amountFen - asked.reduce((sum, { amountFen }) => sum + amountFen, 0);
  const paid = order.status === 'paid' || order.status === 'partial_refund';
  return refused('amountFen', paid ? `at most ${left} fen are left to refund` : `the order is ${order.status}`);
}

const refused = (path: string, message: string): AppError => invalidInput({ path, message });

/**
 * The next steps of a refund; each may be repeated. A provider that does not answer leaves it for the sweeper.
 * Throws EngineError; AppError UNAVAILABLE never.
 */
export async function advanceRefund(refund: Refund): Promise<Refund> {
  const order = await findOrder(refund.orderNo);
  if (!order) throw new Error('a refund without its order');
  if (refund.status !== 'success' && refund.status !== 'closed') {
    await takeUnits(refund);
    const { refundNo, orderNo, amountFen: refundFen, reason } = refund;
    try {
      const provider = await providerOf(order);
      if (!provider) throw new AppError('UNAVAILABLE');
      const state = await provider.refund({ refundNo, orderNo, refundFen, totalFen: order.amountFen, reason });
      await recordRefund(refund, state);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'UNAVAILABLE') throw error;
      count('recharge.refund-waits');
    }
  } else if (refund.status === 'success') await recordRefund(refund, 'success');
  return (await findRefund(refund.refundNo)) ?? refund;
}

/** The provider's word on a refund: by its answer or by its notification. */
export async function recordRefund(refund: Refund, state: RefundState): Promise<void> {
  const { refundNo, orderNo } = refund;
  if (state === 'closed') await returnUnits(refund);
  if (state === 'abnormal' && refund.status !== 'abnormal') alarm('refund-abnormal', { orderNo, refundNo });
  if (state === 'success' && refund.status === 'closed') alarm('refund-after-close', { orderNo, refundNo });
  await writeRepeatably(
    "UPDATE refunds SET status = ? WHERE refund_no = ? AND status IN ('accepted', 'processing', 'abnormal')",
    [state, refundNo],
  );
  if (state !== 'success' && state !== 'closed') return;
  if (state === 'success') await markRefunded(orderNo);
  // Last, so that whoever dies before leaves it to the sweeper.
  await writeRepeatably('UPDATE refunds SET next_check_at = NULL WHERE refund_no = ? AND status = ?', [
    refundNo,
    state,
  ]);
}

/** By the refunds that succeeded; harmless when repeated. */
async function markRefunded(orderNo: string): Promise<void> {
  const done = "(SELECT COALESCE(SUM(r.amount_fen), 0) FROM refunds r WHERE r.order_no = ? AND r.status = 'success')";
  await writeRepeatably(
    `UPDATE recharge_orders SET status = IF(${done} >= amount_fen, 'refunded', 'partial_refund'),
            refunded_fen = GREATEST(refunded_fen, ${done})
      WHERE order_no = ? AND status IN ('paid', 'partial_refund')`,
    [orderNo, orderNo, orderNo],
  );
}
