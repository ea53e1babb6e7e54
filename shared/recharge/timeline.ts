import { query } from '../db.ts';
import { AppError } from '../errors.ts';
import { deliveryNext } from './delivery-next.ts';
import { findOrder, publicOrder } from './order.ts';
import { whyUnreachable } from './reach.ts';
import { nextOf } from './refund-next.ts';
import { type Refund, refundsOf } from './refund-record.ts';

/** One event of an order, for support. */
interface TimelineEvent {
  at: string;
  what: 'created' | 'paid' | 'credited' | 'refund asked' | 'units taken' | 'units returned' | 'expires';
  detail: Record<string, string | number>;
}

/**
 * All events of an order, oldest first, and whether its books agree. It answers the question "where is my recharge?".
 * Throws NOT_FOUND.
 */
export async function rechargeTimeline(orderNo: string) {
  const order = await findOrder(orderNo);
  if (!order) throw new AppError('NOT_FOUND');
  const refunds = await refundsOf(orderNo);
  const why = refunds.length === 0 ? null : await whyUnreachable(order);
  const refs = [orderNo, ...refunds.map(({ refundNo }) => refundNo)];
  const entries = await query(
    `SELECT seq, kind, ref, delta, balance_after, ext_ref, created_at FROM ledger_entries
      WHERE kind IN ('recharge', 'refund', 'refund_reversal') AND ref IN (${refs.map(() => '?').join(', ')})`,
    refs,
  );
  const { amountFen, units, provider, status } = order;
  const created: TimelineEvent = { at: order.createdAt, what: 'created', detail: { amountFen, units, provider } };
  const later: TimelineEvent[] = [
    ...(order.paidAt ? [{ at: order.paidAt, what: 'paid' as const, detail: { by: order.transactionId ?? '' } }] : []),
    ...(status === 'pending'
      ? [{ at: order.expiresAt, what: 'expires' as const, detail: { checks: order.checks } }]
      : []),
    ...refunds.map(({ createdAt, refundNo, amountFen: refundFen, status: state, reason }) => ({
      at: createdAt,
      what: 'refund asked' as const,
      detail: { refundNo, refundFen, status: state, ...(reason !== null && { reason }) },
    })),
    ...entries.map((row) => ({
      at: String(row.created_at),
      what: WHAT[String(row.kind)] ?? 'credited',
      detail: {
        ref: String(row.ref),
        seq: Number(row.seq),
        delta: Number(row.delta),
        balance: Number(row.balance_after),
      },
    })),
  ];
  later.sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
  // `created` is always first: providers report times in whole seconds.
  const events = [created, ...later];
  const credited = entries.some((row) => row.kind === 'recharge');
  const open = status === 'pending' || status === 'closed';
  const { appId, userId, transactionId } = order;
  return {
    order: { ...publicOrder(order), appId, userId, provider, transactionId },
    events,
    delivery: deliveryNext(order),
    refunds: refunds.map((refund) => ({ ...refundView(refund), next: nextOf(refund, why) })),
    /** false: paid without a credit, or credited and not marked as paid. `recharge sync` repairs the second case. */
    agrees: credited !== open,
  };
}

const refundView = ({ refundNo, amountFen, units, status, origin, refusal, reason, providerRefundId }: Refund) => ({
  refundNo,
  amountFen,
  units,
  status,
  origin,
  refusal,
  reason,
  providerRefundId,
});

const WHAT: Record<string, TimelineEvent['what']> = {
  recharge: 'credited',
  refund: 'units taken',
  refund_reversal: 'units returned',
};
