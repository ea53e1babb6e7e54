import { query, type Row } from '../db.ts';
import type { RefundState, RefusalCode, Returned } from './provider.ts';

/** A refund as it is stored. refund.ts explains its states. */
export interface Refund {
  refundNo: string;
  orderNo: string;
  amountFen: number;
  units: number;
  status: 'accepted' | 'cancelling' | RefundState;
  /** null: without a reason. */
  reason: string | null;
  /** `elsewhere`: made at the provider, and only recorded here. */
  origin: 'here' | 'elsewhere';
  /** Why it is closed, or will be closed. null: it is not. */
  refusal: RefusalCode | 'cancelled' | 'provider-closed' | 'paid-already' | 'paid-later' | 'paid-twice' | null;
  /** null: the provider has not reported it. */
  providerRefundId: string | null;
  /** When the provider accepted it: the day of its bill. null: it has not reported it. */
  providerAt: string | null;
  /** A request to the provider may still be on its way, so the refund must not be closed now. */
  inFlight: boolean;
  checks: number;
  createdAt: string;
}

/** A request to a provider ends after a few seconds. After this time certainly none is on its way any more. */
export const FLIGHT_SECONDS = 60;

const COLUMNS = `refund_no, order_no, amount_fen, units, status, reason, origin, refusal, provider_refund_id, provider_at,
  checks, created_at, COALESCE(sent_at > NOW(3) - INTERVAL ${FLIGHT_SECONDS} SECOND, 0) AS in_flight`;

const refundFromRow = (row: Row): Refund => ({
  refundNo: String(row.refund_no),
  orderNo: String(row.order_no),
  amountFen: Number(row.amount_fen),
  units: Number(row.units),
  status: row.status as Refund['status'],
  reason: row.reason as string | null,
  origin: row.origin as Refund['origin'],
  refusal: row.refusal as Refund['refusal'],
  providerRefundId: row.provider_refund_id as string | null,
  providerAt: row.provider_at as string | null,
  inFlight: Number(row.in_flight) === 1,
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
    `SELECT ${COLUMNS} FROM refunds WHERE next_check_at <= NOW(3) ORDER BY next_check_at LIMIT ${limit}`,
  );
  return rows.map(refundFromRow);
}

/** The provider paid it back after it was closed here (refund-after-close.ts). */
export const isPaidLater = ({ refusal }: Pick<Refund, 'refusal'>): boolean =>
  refusal === 'paid-later' || refusal === 'paid-twice';

/** What the refunds in the books say that the provider returned, or will. */
export const explainedFen = (refunds: readonly Refund[]): number =>
  refunds.filter(isExplaining).reduce((sum, { amountFen }) => sum + amountFen, 0);

const isExplaining = ({ status, refusal }: Refund): boolean => status !== 'closed' || refusal === 'paid-twice';

/** Whether the refunds in the books are all that the provider returned. */
export function isExplained(returned: Returned, refunds: readonly Refund[]): boolean {
  if (returned !== 'some') return returned <= explainedFen(refunds);
  // It also knows a refund that it closed. A former release wrote no refusal, and closed no others.
  return refunds.some((of) => isExplaining(of) || of.refusal === null || of.refusal === 'provider-closed');
}

/** Of the paid amount; closed refunds do not count. */
export const leftFen = ({ amountFen }: { amountFen: number }, refunds: readonly Refund[]): number =>
  refunds.reduce((left, refund) => (refund.status === 'closed' ? left : left - refund.amountFen), amountFen);
