import { AppError } from '../errors.ts';
import { changeOnce } from './logged-change.ts';
import { findOrder } from './order.ts';
import { whyUnreachable } from './reach.ts';
import { requestRefund } from './refund.ts';
import { closeUnpaid } from './refund-end.ts';
import { FLIGHT_SECONDS, findRefund, isPaidLater, type Refund } from './refund-record.ts';
import { advanceRefund } from './refund-steps.ts';
import { takeUnits } from './refund-units.ts';

/** What operators do with a refund that waits, or that was closed. */

/** Throws NOT_FOUND with a sentence. */
export async function knownRefund(refundNo: string): Promise<Refund> {
  const refund = await findRefund(refundNo);
  if (!refund) throw new AppError('NOT_FOUND', `There is no refund ${refundNo}.`);
  return refund;
}

/**
 * Cancels a refund that the provider has not taken. From then on it is never sent again. The provider is asked when no
 * request can be on its way any more: it does not know the refund, so the refund is closed and the units are returned;
 * or it knows the refund, whose state counts then. Returned with `cancelling`: the sweeper does the rest. Throws
 * NOT_FOUND, INVALID_INPUT (it cannot be cancelled).
 */
export async function cancelRefund(refundNo: string, actor: string): Promise<Refund> {
  const refund = await knownRefund(refundNo);
  checkCancellable(refund);
  if (refund.status === 'accepted') await stop(refund, actor);
  const after = await advanceRefund(await knownRefund(refundNo));
  checkCancellable(after);
  return after;
}

/**
 * Ends a refund whose provider cannot be asked any more, on the word of an operator who has looked at the merchant platform:
 * no money was paid back. Throws NOT_FOUND, INVALID_INPUT.
 */
export async function closeRefundUnpaid(refundNo: string, actor: string): Promise<Refund> {
  const refund = await knownRefund(refundNo);
  if (refund.status === 'closed') return advanceRefund(refund);
  await checkClosable(refund);
  const { orderNo, amountFen } = refund;
  await takeUnits(refund);
  const detail = { refundNo, amountFen, unpaid: true };
  await closeUnpaid(refund, { actor, action: 'recharge.refund-cancel', subject: orderNo, detail });
  const after = await knownRefund(refundNo);
  if (after.status !== 'closed')
    throw refused(`Refund ${refundNo} is ${after.status} now: nothing was done. Try again.`);
  return after;
}

/** Throws INVALID_INPUT: the provider can be asked, or the money was paid back. */
export async function checkClosable({ refundNo, orderNo, status, origin, inFlight }: Refund): Promise<void> {
  if (status === 'success' || origin === 'elsewhere')
    throw refused(`Refund ${refundNo} cannot be cancelled: the money was paid back.`);
  if (status !== 'closed' && (await whyUnreachable(await findOrder(orderNo))) === null)
    throw refused(`The provider can be asked about refund ${refundNo}: leave --unpaid out. Nothing was done.`);
  if (inFlight)
    throw refused(`A request for refund ${refundNo} may be on its way: nothing was done. Try again in a minute.`);
}

/** A refund that is being cancelled has taken its units, so they can be returned. */
async function stop(refund: Refund, actor: string): Promise<void> {
  const { refundNo, orderNo, amountFen } = refund;
  await takeUnits(refund);
  await changeOnce(
    `UPDATE refunds SET status = 'cancelling', refusal = 'cancelled', checks = 0,
            next_check_at = GREATEST(NOW(3), COALESCE(sent_at + INTERVAL ${FLIGHT_SECONDS} SECOND, NOW(3)))
      WHERE refund_no = ? AND status = 'accepted'`,
    [refundNo],
    { actor, action: 'recharge.refund-cancel', subject: orderNo, detail: { refundNo, amountFen } },
  );
}

/** Throws INVALID_INPUT: the money was returned, or will be. */
export function checkCancellable({ refundNo, status }: Refund): void {
  if (status === 'success') throw refused(`Refund ${refundNo} cannot be cancelled: the money was paid back.`);
  if (status === 'processing')
    throw refused(`Refund ${refundNo} cannot be cancelled: the provider has accepted it and is paying the money back.`);
  if (status === 'abnormal')
    throw refused(
      `Refund ${refundNo} cannot be cancelled here: the provider holds its money, because the payer's account cannot receive it. Finish it at the merchant platform; the recharge sweeper follows its state.`,
    );
}

/**
 * What a refund that makes up for a closed one is: the same amount and reason under a new number, which is derived from
 * the old one. So typing it twice makes one. Throws NOT_FOUND, INVALID_INPUT.
 */
export async function planRedo(refundNo: string) {
  const refund = await knownRefund(refundNo);
  const { orderNo, amountFen, reason, status, origin } = refund;
  if (isPaidLater(refund))
    throw refused(
      `Refund ${refundNo} was paid back by the provider after it was closed here: it cannot be made again.`,
    );
  if (status !== 'closed' || origin !== 'here')
    throw refused(`Refund ${refundNo} is ${status}: only a refund that is closed can be made again.`);
  return { orderNo, amountFen, reason: reason ?? undefined, key: `redo:${refundNo}` };
}

/** Throws as planRedo() and requestRefund(). */
export const redoRefund = async (refundNo: string, actor: string): Promise<Refund> =>
  requestRefund({ ...(await planRedo(refundNo)), actor, detail: { redoOf: refundNo } });

const refused = (sentence: string): AppError => new AppError('INVALID_INPUT', sentence);
