import { query, type Row } from '../../db.ts';
import { extRefOf } from '../payment.ts';
import type { PaymentLine, Subject } from './bill.ts';
import { chinaDayOf, type Period } from './china-day.ts';
import { type Finding, finding } from './finding.ts';

/** A line of the bill, and what the books say of it. */
export interface Judged<Line> {
  line: Line;
  isOurs: boolean;
  /** Number of the booking that belongs to it; undefined: none does. */
  booked?: string;
  finding?: Finding;
}

export async function comparePayments(
  subject: Subject,
  period: Period,
  lines: readonly PaymentLine[],
): Promise<Judged<PaymentLine>[]> {
  const orders = await ordersNamed(subject, lines);
  return lines.map((line) => {
    const row = orders.get(line.orderNo);
    const isOurs = row !== undefined || subject.appIds.has(line.appId);
    if (!row)
      return isOurs ? { line, isOurs, finding: finding('paid, no such order', { subject, line }) } : { line, isOurs };
    const judged = judge(subject, period, line, row);
    // The payment that was credited has a line of its own, or is missing.
    if (judged?.what === 'paid twice') return { line, isOurs, finding: judged };
    return { line, isOurs, booked: line.orderNo, ...(judged && { finding: judged }) };
  });
}

/** undefined: bill and books agree. */
function judge(subject: Subject, { from, to }: Period, line: PaymentLine, row: Row): Finding | undefined {
  const bookedFen = Number(row.amount_fen);
  if (bookedFen !== line.amountFen) return finding('paid another amount', { subject, line, bookedFen });
  if (row.ext_ref === null) return finding('paid, not credited', { subject, line });
  if (row.ext_ref !== extRefOf(subject.provider, line.transactionId))
    return finding('paid twice', { subject, line, bookedFen });
  const paidAt = String(row.paid_at);
  const isOfDay = paidAt >= from && paidAt < to;
  if (row.paid_at === null || isOfDay) return undefined;
  return finding('booked on another day', { subject, line, bookedFen, bookedDay: chinaDayOf(paidAt) });
}

/** The orders of this merchant that the lines name. */
export async function ordersNamed(
  { provider, merchantId }: Subject,
  lines: ReadonlyArray<{ orderNo: string }>,
): Promise<Map<string, Row>> {
  if (lines.length === 0) return new Map();
  const rows = await query(
    `SELECT o.order_no, o.provider, o.merchant_id, o.amount_fen, o.paid_at, e.ext_ref FROM recharge_orders o
       LEFT JOIN ledger_entries e ON e.kind = 'recharge' AND e.ref = o.order_no
      WHERE o.order_no IN (${lines.map(() => '?').join(', ')})`,
    lines.map(({ orderNo }) => orderNo),
  );
  const ours = rows.filter((row) => row.provider === provider && row.merchant_id === merchantId);
  return new Map(ours.map((row) => [String(row.order_no), row]));
}
