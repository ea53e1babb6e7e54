import { repeatOnContention } from '../contention.ts';
import { query, type Row, writeRepeatably } from '../db.ts';
import { AppError, ER_DUP_ENTRY, invalidInput, SqlError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { refundNumber } from './numbers.ts';
import { findOrder } from './order.ts';
import type { RefundState } from './provider.ts';
import { providerOf } from './providers.ts';
import { returnUnits, takeUnits } from './refund-units.ts';
import { WECHATPAY_BOUNDS } from './wechatpay/bounds.ts';
import { isLine } from './wechatpay/input.ts';

/**
 * Refunds: accepted -> processing -> success | closed | abnormal. First the units are taken from the wallet, then the
 * provider sends the money back, always under the same number. If the provider closes the refund, the units are
 * returned. Units that were spent make the balance negative; the next recharge pays the debt.
 */
export interface Refund {
  refundNo: string;
  orderNo: string;
  amountFen: number;
  units: number;
  status: 'accepted' | RefundState;
  /** null: without a reason. */
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

/** null: there is no such refund. */
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

/** Refunds that are due for their next step, the oldest first. */
export async function dueRefunds(limit: number): Promise<Refund[]> {
  const rows = await query(
    `SELECT ${COLUMNS} FROM refunds
      WHERE status IN ('accepted', 'processing', 'abnormal', 'success') AND next_check_at <= NOW(3)
      ORDER BY next_check_at LIMIT ${limit}`,
  );
  return rows.map(refundFromRow);
}

/**
 * Requests a refund once for each key, and does all steps that are possible now. The sweeper does the others. Throws
 * NOT_FOUND, INVALID_INPUT (not paid, or more than is left of the payment), IDEMPOTENCY_KEY_REUSED (another amount).
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
  if (reason !== null && !isLine(reason, WECHATPAY_BOUNDS.reason))
    throw refused('reason', `expected one line of 1 to ${WECHATPAY_BOUNDS.reason.most} bytes`);
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
 * Records a refund that the provider made without a request from here. It takes the units once for each reference. Only
 * for providers whose `refund` moves no money (`refunds: false`), so that no money is sent twice. Throws NOT_FOUND (no
 * such order), NOTICE_MISMATCH (not paid here, or more than is left of the payment).
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
 * One statement. It locks the row of the order, so that parallel refunds never exceed what was paid. The units are in
 * proportion to the sum of the refunds and rounded down, so that a full refund takes back all that was credited.
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
    // Refunds of different orders may lock the same gap of the index, so several attempts are usual under load.
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
 * Does the next steps of a refund. Each may be repeated. If the provider does not answer, the sweeper tries again
 * later. Throws EngineError, never AppError UNAVAILABLE.
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

/** Records the state of a refund that the provider reports, in an answer or in a notification. */
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
  // The last statement: if the process crashes before it, the sweeper continues the refund.
  await writeRepeatably('UPDATE refunds SET next_check_at = NULL WHERE refund_no = ? AND status = ?', [
    refundNo,
    state,
  ]);
}

/** Sets the status of the order from the refunds that succeeded. It may be repeated. */
async function markRefunded(orderNo: string): Promise<void> {
  const done = "(SELECT COALESCE(SUM(r.amount_fen), 0) FROM refunds r WHERE r.order_no = ? AND r.status = 'success')";
  await writeRepeatably(
    `UPDATE recharge_orders SET status = IF(${done} >= amount_fen, 'refunded', 'partial_refund'),
            refunded_fen = GREATEST(refunded_fen, ${done})
      WHERE order_no = ? AND status IN ('paid', 'partial_refund')`,
    [orderNo, orderNo, orderNo],
  );
}
