import { query, type Row } from '../../db.ts';
import { extRefOf } from '../payment.ts';
import type { RefundLine, Subject } from './bill.ts';
import { chinaDayOf, type Period } from './china-day.ts';
import { type Judged, ordersNamed } from './compare-payments.ts';
import { type Finding, finding } from './finding.ts';

export async function compareRefunds(
  subject: Subject,
  period: Period,
  lines: readonly RefundLine[],
): Promise<Judged<RefundLine>[]> {
  const orders = await ordersNamed(subject, lines);
  const ours = await refundsBy(
    'refund_no',
    lines.map(({ refundNo }) => refundNo),
  );
  // A refund that was made in the provider's console has a number of the console, and is known by the provider's own.
  // So is what was paid back after it was closed here: it is in the books as another refund.
  const isOpen = (row: Row | undefined): boolean => row !== undefined && row.status !== 'closed';
  const rest = lines.filter(({ refundNo, refundId }) => !isOpen(ours.get(refundNo)) && refundId !== '');
  const theirs = await refundsBy(
    'provider_refund_id',
    rest.map(({ refundId }) => refundId),
  );
  return lines.map((line) => {
    const [own, other] = [ours.get(line.refundNo), theirs.get(line.refundId)];
    const row = own && (isOpen(own) || !isOpen(other)) ? own : other;
    const isOurs = row !== undefined || orders.has(line.orderNo) || subject.appIds.has(line.appId);
    if (!isOurs) return { line, isOurs };
    if (!row) {
      const what = whyUnknown(subject, line, orders.get(line.orderNo));
      return { line, isOurs, finding: finding(what, { subject, line }) };
    }
    const judged = judge(subject, period, line, row);
    return { line, isOurs, booked: String(row.refund_no), ...(judged && { finding: judged }) };
  });
}

/** A second payment of an order was never credited, so its refund is right and not in the books. */
function whyUnknown({ provider }: Subject, { transactionId }: RefundLine, order: Row | undefined) {
  if (!order) return 'refunded, no such order';
  const isOfCredit = order.ext_ref === null || order.ext_ref === extRefOf(provider, transactionId);
  return isOfCredit ? 'refunded, unknown here' : 'refund of a second payment';
}

/** undefined: bill and books agree. */
function judge(subject: Subject, { from, to }: Period, line: RefundLine, row: Row): Finding | undefined {
  const bookedFen = Number(row.amount_fen);
  if (row.order_no !== line.orderNo) return finding("refunded, another order's", { subject, line, bookedFen });
  if (bookedFen !== line.amountFen) return finding('refunded another amount', { subject, line, bookedFen });
  if (row.status === 'closed') {
    // The units were returned to the user. That is right unless the money was returned as well.
    const what = line.isPaid ? 'refunded, closed here' : 'refund closed after the bill';
    return finding(what, { subject, line, bookedFen });
  }
  const bookedAt = String(row.booked_at);
  if (bookedAt >= from && bookedAt < to) return undefined;
  return finding('refund booked on another day', { subject, line, bookedFen, bookedDay: chinaDayOf(bookedAt) });
}

async function refundsBy(
  column: 'refund_no' | 'provider_refund_id',
  numbers: readonly string[],
): Promise<Map<string, Row>> {
  if (numbers.length === 0) return new Map();
  const rows = await query(
    `SELECT refund_no, provider_refund_id, order_no, amount_fen, status, COALESCE(provider_at, created_at) AS booked_at
       FROM refunds WHERE ${column} IN (${numbers.map(() => '?').join(', ')}) ORDER BY status <> 'closed'`,
    numbers,
  );
  return new Map(rows.map((row) => [String(row[column]), row]));
}
