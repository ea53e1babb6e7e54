import { query, sqlTime } from '../db.ts';
import { extRefOf } from './payment.ts';
import type { BillLine } from './provider.ts';
import { isFromSandbox, SANDBOX, sandboxBill } from './sandbox/provider.ts';

interface Difference {
  what:
    | 'paid, not credited'
    | 'paid, no such order'
    | 'paid another amount'
    | 'credited, not in the bill'
    | 'refunded, unknown here'
    | 'refunded, closed here'
    | "refunded, another order's"
    | 'refunded another amount'
    | 'refunded here, not in the bill';
  orderNo: string;
  /** Transaction or refund number. */
  reference: string;
  billFen: number | null;
  ledgerFen: number | null;
}

interface Reconciliation {
  provider: string;
  from: string;
  to: string;
  payments: number;
  refunds: number;
  billedFen: number;
  creditedFen: number;
  /** Empty: bill and ledger agree in both directions. */
  differences: Difference[];
}

interface Period {
  /** RFC 3339; the period ends before `to`. */
  from: string;
  to: string;
}

/** A day in China time, the unit of the providers' bills: `2026-11-24`. */
export function billingDay(day: string): Period {
  const from = Date.parse(`${day}T00:00:00+08:00`);
  return { from: new Date(from).toISOString(), to: new Date(from + 86_400_000).toISOString() };
}

/** The sandbox's bill is its own table. Notifications that were signed by hand have no row in it and are left out. */
export async function reconcileSandbox(period: Period): Promise<Reconciliation> {
  const found = await reconcile(SANDBOX, period, await sandboxBill(period), { withRefunds: false });
  const differences = found.differences.filter(
    ({ what, reference }) => what !== 'credited, not in the bill' || isFromSandbox(reference),
  );
  return { ...found, differences };
}

/**
 * Compares a bill with the ledger in both directions: every payment of the bill has a credit of the same amount, and
 * every credit of the period is in the bill. The same holds for refunds. It changes nothing; `recharge sync` credits a
 * missing payment.
 */
export async function reconcile(
  provider: string,
  period: Period,
  bill: readonly BillLine[],
  { withRefunds = true }: { withRefunds?: boolean } = {},
): Promise<Reconciliation> {
  const paid = bill.filter((line) => line.kind === 'payment');
  const refunded = bill.filter((line) => line.kind === 'refund');
  const differences: Difference[] = [];
  for (const lines of chunks(paid, 200)) differences.push(...(await comparePayments(provider, lines)));
  for (const lines of chunks(refunded, 200)) differences.push(...(await compareRefunds(lines)));
  const credits = await creditsOf(provider, period);
  const billed = new Set(paid.map(({ transactionId }) => extRefOf(provider, transactionId)));
  for (const { orderNo, extRef, amountFen } of credits) {
    if (billed.has(extRef)) continue;
    const reference = extRef.slice(provider.length + 1);
    differences.push({ what: 'credited, not in the bill', orderNo, reference, billFen: null, ledgerFen: amountFen });
  }
  if (withRefunds) differences.push(...(await refundsBeyond(provider, period, refunded)));
  return {
    provider,
    ...period,
    payments: paid.length,
    refunds: refunded.length,
    billedFen: sumOf(paid),
    creditedFen: sumOf(credits),
    differences,
  };
}

const sumOf = (lines: ReadonlyArray<{ amountFen: number }>): number =>
  lines.reduce((sum, { amountFen }) => sum + amountFen, 0);

function chunks<T>(list: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(list.length / size) }, (_, i) => list.slice(i * size, (i + 1) * size));
}

const marks = (list: readonly unknown[]): string => list.map(() => '?').join(', ');

type PaymentLine = Extract<BillLine, { kind: 'payment' }>;
type RefundLine = Extract<BillLine, { kind: 'refund' }>;

async function comparePayments(provider: string, lines: readonly PaymentLine[]): Promise<Difference[]> {
  const rows = await query(
    `SELECT o.order_no, o.amount_fen, e.ext_ref FROM recharge_orders o
       LEFT JOIN ledger_entries e ON e.kind = 'recharge' AND e.ref = o.order_no
      WHERE o.provider = ? AND o.order_no IN (${marks(lines)})`,
    [provider, ...lines.map(({ orderNo }) => orderNo)],
  );
  const byOrder = new Map(rows.map((row) => [String(row.order_no), row]));
  return lines.flatMap(({ orderNo, transactionId, amountFen }): Difference[] => {
    const row = byOrder.get(orderNo);
    const common = { orderNo, reference: transactionId, billFen: amountFen };
    if (!row) return [{ what: 'paid, no such order', ...common, ledgerFen: null }];
    const ledgerFen = Number(row.amount_fen);
    if (ledgerFen !== amountFen) return [{ what: 'paid another amount', ...common, ledgerFen }];
    if (row.ext_ref === extRefOf(provider, transactionId)) return [];
    return [{ what: 'paid, not credited', ...common, ledgerFen: null }];
  });
}

async function compareRefunds(lines: readonly RefundLine[]): Promise<Difference[]> {
  const numbers = lines.map(({ refundNo }) => refundNo);
  const rows = await query(
    `SELECT refund_no, order_no, amount_fen, status FROM refunds WHERE refund_no IN (${marks(numbers)})`,
    numbers,
  );
  const known = new Map(rows.map((row) => [String(row.refund_no), row]));
  return lines.flatMap(({ orderNo, refundNo, amountFen }): Difference[] => {
    const row = known.get(refundNo);
    const common = { orderNo, reference: refundNo, billFen: amountFen };
    if (!row) return [{ what: 'refunded, unknown here', ...common, ledgerFen: null }];
    const ledgerFen = Number(row.amount_fen);
    if (row.order_no !== orderNo) return [{ what: "refunded, another order's", ...common, ledgerFen }];
    if (ledgerFen !== amountFen) return [{ what: 'refunded another amount', ...common, ledgerFen }];
    // The units were returned to the user, although the money was refunded.
    if (row.status === 'closed') return [{ what: 'refunded, closed here', ...common, ledgerFen }];
    return [];
  });
}

async function creditsOf(provider: string, { from, to }: Period) {
  const rows = await query(
    `SELECT o.order_no, o.amount_fen, e.ext_ref FROM recharge_orders o
       JOIN ledger_entries e ON e.kind = 'recharge' AND e.ref = o.order_no
      WHERE o.provider = ? AND o.paid_at >= ? AND o.paid_at < ? ORDER BY o.paid_at`,
    [provider, sqlTime(from), sqlTime(to)],
  );
  return rows.map((row) => ({
    orderNo: String(row.order_no),
    amountFen: Number(row.amount_fen),
    extRef: String(row.ext_ref),
  }));
}

/** Refunds that ended in the period here and are not in the bill. */
async function refundsBeyond(provider: string, { from, to }: Period, lines: readonly RefundLine[]) {
  const rows = await query(
    `SELECT r.refund_no, r.order_no, r.amount_fen FROM refunds r JOIN recharge_orders o ON o.order_no = r.order_no
      WHERE o.provider = ? AND r.status = 'success' AND r.created_at >= ? AND r.created_at < ?`,
    [provider, sqlTime(from), sqlTime(to)],
  );
  const billed = new Set(lines.map(({ refundNo }) => refundNo));
  return rows.flatMap((row): Difference[] => {
    const reference = String(row.refund_no);
    if (billed.has(reference)) return [];
    const what = 'refunded here, not in the bill';
    return [{ what, orderNo: String(row.order_no), reference, billFen: null, ledgerFen: Number(row.amount_fen) }];
  });
}
