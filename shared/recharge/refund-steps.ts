import { sqlTime, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { findOrder, type Order } from './order.ts';
import type { Provider, ReportedRefund } from './provider.ts';
import { providerOf } from './providers.ts';
import { bookPaidLater } from './refund-after-close.ts';
import { closeAtProvider, closeCancelled, finishClosed, finishSuccess, IS_OPEN, recordRefusal } from './refund-end.ts';
import { FLIGHT_SECONDS, findRefund, type Refund } from './refund-record.ts';
import { takeUnits } from './refund-units.ts';

/**
 * Does the next steps of a refund. Each may be repeated. If the provider does not answer, the sweeper tries again
 * later. Throws EngineError, never AppError UNAVAILABLE.
 */
export async function advanceRefund(refund: Refund): Promise<Refund> {
  const order = await findOrder(refund.orderNo);
  if (!order) throw new Error('a refund without its order');
  if (refund.status === 'closed') {
    await finishClosed(refund);
    if (refund.refusal === 'paid-twice') await recordRefund(refund, MADE);
  } else if (refund.status === 'success') await recordRefund(refund, MADE);
  else {
    await takeUnits(refund);
    await takeStep(refund, order).catch((error: unknown) => {
      if (!(error instanceof AppError) || error.code !== 'UNAVAILABLE') throw error;
      count('recharge.refund-waits');
    });
  }
  return (await findRefund(refund.refundNo)) ?? refund;
}

/** What is known about a refund whose end was recorded before. */
const MADE: ReportedRefund = { state: 'success', refundId: null, acceptedAt: null };

async function takeStep(refund: Refund, order: Order): Promise<void> {
  if (refund.origin === 'elsewhere') return recordRefund(refund, MADE);
  const provider = await providerOf(order);
  if (!provider) throw new AppError('UNAVAILABLE');
  if (refund.status === 'accepted' && !refund.inFlight) return send(refund, order, provider);
  const known = await provider.askRefund(refund.refundNo, order);
  if (known) return recordRefund(refund, known);
  // Nothing is on its way, and a refund that is being cancelled is never sent again: the provider will not know it.
  if (refund.status === 'cancelling' && !refund.inFlight) await closeCancelled(refund);
}

/** A process that slept, such as a laptop, must not send after the time in which others wait for it. */
const AWAKE_MS = (FLIGHT_SECONDS * 1000) / 4;

/** At most one request for a refund is on its way: the claim in front of it is one statement. */
async function send(refund: Refund, order: Order, provider: Provider): Promise<void> {
  const { refundNo, amountFen: refundFen, reason } = refund;
  const startedAt = Date.now();
  const { rowsAffected } = await writeRepeatably(
    `UPDATE refunds SET sent_at = NOW(3) WHERE refund_no = ? AND status = 'accepted'
        AND (sent_at IS NULL OR sent_at <= NOW(3) - INTERVAL ${FLIGHT_SECONDS} SECOND)`,
    [refundNo],
  );
  if (rowsAffected === 0 || Date.now() - startedAt > AWAKE_MS) return;
  const answer = await provider.refund({ ...order, refundNo, refundFen, totalFen: order.amountFen, reason });
  if (answer.state !== 'refused') return recordRefund(refund, answer);
  if (Date.now() - startedAt > AWAKE_MS) return;
  count(`recharge.refund-refused.${answer.code}`);
  await recordRefusal(refundNo, answer);
  if (!answer.final) return;
  // An earlier request under this number may have been accepted, and its answer lost.
  const known = await provider.askRefund(refundNo, order);
  await (known ? recordRefund(refund, known) : closeCancelled(refund));
}

/**
 * Records the state of a refund that the provider reports, in an answer or in a notification. A success is a fact, also
 * if the refund was closed here before.
 */
export async function recordRefund(refund: Refund, report: ReportedRefund): Promise<void> {
  const { state, refundId, acceptedAt } = report;
  const { refundNo, orderNo, status } = refund;
  if (state === 'closed') return closeAtProvider(refund, refundId);
  if (state === 'abnormal' && status !== 'abnormal') alarm('refund-abnormal', { orderNo, refundNo });
  await writeRepeatably(
    `UPDATE refunds SET status = ?, refusal = NULL, provider_refund_id = COALESCE(?, provider_refund_id),
            provider_at = COALESCE(?, provider_at) WHERE refund_no = ? AND ${IS_OPEN}`,
    [state, refundId, acceptedAt === null ? null : sqlTime(acceptedAt), refundNo],
  );
  if (state !== 'success') return;
  const now = await findRefund(refundNo);
  if (now?.status !== 'closed') return finishSuccess(refund);
  const other = await bookPaidLater(now, report);
  if (other) await advanceRefund(other);
}
