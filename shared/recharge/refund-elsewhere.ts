import { AppError } from '../errors.ts';
import { alarm } from '../telemetry.ts';
import { madeRefundNumber } from './numbers.ts';
import { findOrder, isPaid, type Order } from './order.ts';
import type { Provider } from './provider.ts';
import { providerOf } from './providers.ts';
import { acceptRefund } from './refund-accept.ts';
import { findRefund, leftFen, type Refund, refundsOf } from './refund-record.ts';
import { advanceRefund, recordRefund } from './refund-steps.ts';

/**
 * Refunds that were made at the provider, without a request from here. They are recorded once for each number of the
 * provider, whether a notification or an operator reports them, and their units are taken. No money is sent.
 */

/**
 * Records what a notification reports. Throws NOT_FOUND (the provider has no such order), NOTICE_MISMATCH (not paid here,
 * or more than is left of the payment: a later delivery may fit).
 */
export async function recordMadeRefund(
  provider: string,
  made: { orderNo: string; refundNo?: string | null; reference: string; refundFen: number; at?: string | null },
): Promise<void> {
  const { orderNo, reference: refundId, refundFen: amountFen, at = null } = made;
  const refundNo = madeRefundNumber(orderNo, refundId);
  if ((await findOrder(orderNo))?.provider !== provider) throw new AppError('NOT_FOUND');
  const own = ownRefund(await refundsOf(orderNo), made);
  if (own) return recordRefund(own, { state: 'success', refundId, acceptedAt: null });
  await acceptRefund({ refundNo, orderNo, amountFen, reason: null, origin: 'elsewhere', refundId, at }, undefined);
  const refund = await findRefund(refundNo);
  if (refund?.amountFen === amountFen) return void (await advanceRefund(refund));
  alarm('notification-mismatch', { orderNo, difference: 'refund' });
  throw new AppError('NOTICE_MISMATCH');
}

/**
 * The refund from here that a notification reports. Our number decides if the notification has it, and then no other
 * refund is meant. Without it, WeChat's number; and last a refund that is on its way, of the same amount and without a
 * number of WeChat: taking it for another one would take its units twice.
 */
function ownRefund(
  refunds: readonly Refund[],
  { refundNo, reference, refundFen }: { refundNo?: string | null; reference: string; refundFen: number },
): Refund | undefined {
  const own = refunds.filter(({ origin }) => origin === 'here');
  const named = own.find((of) => of.providerRefundId === reference || (refundNo && of.refundNo === refundNo));
  if (named || refundNo) return named;
  if (refunds.some(({ providerRefundId }) => providerRefundId === reference)) return undefined;
  const isOnItsWay = ({ status }: Refund) => status !== 'success' && status !== 'closed';
  return own.find((of) => isOnItsWay(of) && of.amountFen === refundFen && of.providerRefundId === null);
}

interface BookedRefund {
  orderNo: string;
  /** The provider's number, from its merchant platform. */
  refundId: string;
  amountFen: number;
}

/**
 * Records a refund by hand, for an operator who found it at the merchant platform. Throws NOT_FOUND, INVALID_INPUT with a
 * sentence, UNAVAILABLE (the provider could not be asked; nothing was written).
 */
export async function bookRefund(
  booked: BookedRefund,
  by: { actor: string; detail?: Record<string, unknown>; approves?: string },
): Promise<Refund> {
  const { orderNo, refundId, amountFen } = booked;
  const known = await checkBooked(booked);
  if (!known) {
    const detail = { refundId, amountFen, ...by.detail };
    const change = { actor: by.actor, action: 'recharge.refund-book', subject: orderNo, detail, approves: by.approves };
    const refundNo = madeRefundNumber(orderNo, refundId);
    await acceptRefund({ refundNo, orderNo, amountFen, reason: null, origin: 'elsewhere', refundId, at: null }, change);
  }
  const refund = await findRefund(madeRefundNumber(orderNo, refundId));
  if (!refund)
    throw refused(`Another refund of order ${orderNo} was made at this moment: nothing was booked. Try again.`);
  if (refund.amountFen !== amountFen) throw bookedOtherwise(refund);
  return advanceRefund(refund);
}

/** The refund if it is in the books already; null: it can be booked. Throws as bookRefund(). */
export async function checkBooked({ orderNo, refundId, amountFen }: BookedRefund): Promise<Refund | null> {
  if (!Number.isSafeInteger(amountFen) || amountFen < 1) throw refused('The amount is a whole number of fen, from 1.');
  if (!/^[0-9A-Za-z_-]{1,64}$/.test(refundId))
    throw refused('The number of the refund has 1 to 64 letters and digits.');
  const order = await findOrder(orderNo);
  if (!order) throw new AppError('NOT_FOUND', `There is no order ${orderNo}.`);
  const known = await findRefund(madeRefundNumber(orderNo, refundId));
  if (known && known.amountFen !== amountFen) throw bookedOtherwise(known);
  if (known) return known;
  const provider = await providerOf(order);
  if (!provider?.returned) throw refused(`${order.provider} cannot be asked about refunds of order ${orderNo}.`);
  await checkOwn(order, refundId, provider);
  await checkLeft(order, amountFen);
  if ((await provider.returned(order)) !== 0) return null;
  throw refused(`${provider.name} says that no money of order ${orderNo} was returned: nothing was booked.`);
}

/** A refund that was requested here must not be booked a second time under the provider's number. */
async function checkOwn(order: Order, refundId: string, provider: Provider): Promise<void> {
  for (const refund of await refundsOf(order.orderNo)) {
    const { refundNo, status, origin } = refund;
    if (origin === 'elsewhere' || status === 'closed') continue;
    if (status === 'accepted' || status === 'cancelling')
      throw refused(`Refund ${refundNo} of this order has not ended: nothing was booked. Look at "recharge show".`);
    const reported = refund.providerRefundId === null ? await provider.askRefund(refundNo, order) : null;
    if (reported) await recordRefund(refund, reported);
    if ((reported?.refundId ?? refund.providerRefundId) === refundId)
      throw refused(`It is refund ${refundNo}, which was made here and is in the books: nothing was booked.`);
  }
}

async function checkLeft(order: Order, amountFen: number): Promise<void> {
  if (!isPaid(order)) throw refused(`Order ${order.orderNo} is ${order.status}: nothing was booked.`);
  const left = leftFen(order, await refundsOf(order.orderNo));
  if (amountFen > left)
    throw refused(`Only ${left} fen of order ${order.orderNo} are left to refund: nothing was booked.`);
}

const bookedOtherwise = ({ refundNo, amountFen }: Refund): AppError =>
  refused(`This refund is in the books as ${refundNo}, with ${amountFen} fen: nothing was booked.`);

const refused = (sentence: string): AppError => new AppError('INVALID_INPUT', sentence);
