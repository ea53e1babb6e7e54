import { AppError } from '../errors.ts';
import { changeOnce } from './logged-change.ts';
import { madeRefundNumber } from './numbers.ts';
import { findOrder, isPaid, type Order } from './order.ts';
import type { Provider } from './provider.ts';
import { reach } from './reach.ts';
import { acceptRefund } from './refund-accept.ts';
import { IS_OPEN } from './refund-end.ts';
import { explainedFen, findRefund, isExplained, leftFen, type Refund, refundsOf } from './refund-record.ts';
import { advanceRefund, recordRefund } from './refund-steps.ts';
import { takeUnits } from './refund-units.ts';

/** Refunds that an operator found at the merchant platform. An operator may err, so the provider is asked first. */
export interface BookedRefund {
  orderNo: string;
  /** The provider's number, or for WeChat Pay also the merchant's, as the merchant platform shows them. */
  refundId: string;
  amountFen: number;
}

interface Booking extends BookedRefund {
  /** In the books already. null: it can be booked. */
  known: Refund | null;
  /** The refund from here that it is, whose end nobody can be asked for any more. */
  own: Refund | null;
  /** RFC 3339. null: the provider does not tell it. */
  at: string | null;
}

/**
 * Records a refund by hand. Throws NOT_FOUND, INVALID_INPUT with a sentence, UNAVAILABLE (the provider could not be asked;
 * nothing was written).
 */
export async function bookRefund(
  booked: BookedRefund,
  by: { actor: string; detail?: Record<string, unknown>; approves?: string },
): Promise<Refund> {
  const { orderNo, refundId, amountFen, known, own, at } = await planBooking(booked);
  if (known) return advanceRefund(known);
  const detail = { refundId, amountFen, ...by.detail };
  const change = { actor: by.actor, action: 'recharge.refund-book', subject: orderNo, detail, approves: by.approves };
  if (own) {
    await takeUnits(own);
    await changeOnce(
      `UPDATE refunds SET status = 'success', refusal = NULL, provider_refund_id = COALESCE(provider_refund_id, ?) WHERE refund_no = ? AND ${IS_OPEN}`,
      [refundId, own.refundNo],
      change,
    );
    return advanceRefund((await findRefund(own.refundNo)) ?? own);
  }
  const refundNo = madeRefundNumber(orderNo, refundId);
  await acceptRefund({ refundNo, orderNo, amountFen, reason: null, origin: 'elsewhere', refundId, at }, change);
  const refund = await findRefund(refundNo);
  if (!refund)
    throw refused(`Another refund of order ${orderNo} was made at this moment: nothing was booked. Try again.`);
  if (refund.amountFen !== amountFen) throw bookedOtherwise(refund);
  return advanceRefund(refund);
}

/** What would be booked, with the provider's number. Throws as bookRefund(). */
export async function planBooking(booked: BookedRefund): Promise<Booking> {
  const { orderNo, amountFen } = booked;
  if (!Number.isSafeInteger(amountFen) || amountFen < 1) throw refused('The amount is a whole number of fen, from 1.');
  const refundId = booked.refundId.normalize('NFKC').trim();
  if (!/^[0-9A-Za-z_-]{1,64}$/.test(refundId))
    throw refused('The number of the refund has 1 to 64 letters and digits.');
  const order = await findOrder(orderNo);
  if (!order) throw new AppError('NOT_FOUND', `There is no order ${orderNo}.`);
  const plan = { orderNo, refundId, amountFen, own: null, at: null };
  const known = await findBooked(plan);
  if (known) return { ...plan, known };
  const reached = await reach(order);
  if ('why' in reached) return { ...plan, known, own: await ownOnItsWay(order, plan) };
  return planAsked(order, plan, reached.provider);
}

/** The provider can be asked: it knows the refund by this number, or how much it returned. */
async function planAsked(order: Order, booked: BookedRefund, provider: Provider): Promise<Booking> {
  const { orderNo, amountFen } = booked;
  if (!provider.returned) throw refused(`${order.provider} cannot be asked about refunds of order ${orderNo}.`);
  const made = (await provider.madeRefund?.(booked.refundId)) ?? null;
  if (made) {
    const plan = { orderNo, amountFen, refundId: made.refundId, own: null, at: made.acceptedAt };
    if (made.orderNo !== orderNo)
      throw refused(`Refund ${booked.refundId} is of order ${made.orderNo}: nothing was booked.`);
    if (made.transactionId !== order.transactionId) throw ofSecondPayment(booked.refundId, made.transactionId);
    if (made.state !== 'success')
      throw refused(
        `${provider.name} has not paid refund ${booked.refundId} back (${made.state}): nothing was booked.`,
      );
    if (made.refundFen !== amountFen)
      throw refused(
        `${provider.name} says that refund ${booked.refundId} is ${made.refundFen} fen: nothing was booked.`,
      );
    const known = await findBooked(plan);
    if (known) return { ...plan, known };
    return unlessBooked(plan, async () => {
      await checkOwn(order, made.refundId, provider);
      await checkLeft(order, amountFen);
    });
  }
  return unlessBooked({ ...booked, own: null, at: null }, async () => {
    await checkOwn(order, booked.refundId, provider);
    await checkLeft(order, amountFen);
    await checkReturned(order, booked, provider);
  });
}

/** The same command may have booked it in the meantime: then the checks refuse it, because nothing is left. */
async function unlessBooked(plan: Omit<Booking, 'known'>, check: () => Promise<void>): Promise<Booking> {
  try {
    await check();
    return { ...plan, known: null };
  } catch (error) {
    const known = await findBooked(plan);
    if (known) return { ...plan, known };
    throw error;
  }
}

async function findBooked({ orderNo, refundId, amountFen }: BookedRefund): Promise<Refund | null> {
  const known = await findRefund(madeRefundNumber(orderNo, refundId));
  if (known && known.amountFen !== amountFen) throw bookedOtherwise(known);
  return known;
}

/** No more may be booked than the provider returned and no refund in the books explains. */
async function checkReturned(order: Order, { refundId, amountFen }: BookedRefund, provider: Provider): Promise<void> {
  const { orderNo } = order;
  const returned = (await provider.returned?.(order)) ?? 0;
  if (returned === 0)
    throw refused(`${provider.name} says that no money of order ${orderNo} was returned: nothing was booked.`);
  const refunds = await refundsOf(orderNo);
  if (returned === 'some') {
    if (!isExplained(returned, refunds)) return;
    throw refused(
      `${provider.name} knows no refund ${refundId} by the merchant's number, and the books explain that money of order ${orderNo} was returned: nothing was booked. Give the merchant's number of the refund as --refund-id, so that it can be asked for.`,
    );
  }
  const free = returned - explainedFen(refunds);
  if (amountFen > free)
    throw refused(
      `${provider.name} returned ${returned} fen of order ${orderNo}, of which the books do not explain ${Math.max(0, free)}: nothing was booked.`,
    );
}

/** A refund that was requested here must not be booked a second time under the provider's number. */
async function checkOwn(order: Order, refundId: string, provider: Provider): Promise<void> {
  for (const refund of await refundsOf(order.orderNo)) {
    const { refundNo, status, origin } = refund;
    if (origin === 'elsewhere' || status === 'closed') continue;
    if (status === 'accepted' || status === 'cancelling') throw notEnded(refundNo);
    const reported = refund.providerRefundId === null ? await provider.askRefund(refundNo, order) : null;
    if (reported) await recordRefund(refund, reported);
    if ((reported?.refundId ?? refund.providerRefundId) === refundId) throw isOwn(refundNo);
  }
}

/** Nobody can be asked: of a refund from here that has not ended the operator says now that it was paid back. */
async function ownOnItsWay(order: Order, { refundId, amountFen }: BookedRefund): Promise<Refund | null> {
  const own = (await refundsOf(order.orderNo)).filter(({ origin }) => origin === 'here');
  const same = own.find((of) => of.providerRefundId === refundId && of.status === 'success');
  if (same) throw isOwn(same.refundNo);
  const open = own.filter(({ status }) => status !== 'success' && status !== 'closed');
  const found =
    open.find((of) => of.providerRefundId === refundId || of.refundNo === refundId) ??
    open.find((of) => of.providerRefundId === null && of.amountFen === amountFen);
  if (found?.amountFen === amountFen) return found;
  if (open[0]) throw notEnded(open[0].refundNo);
  await checkLeft(order, amountFen);
  return null;
}

async function checkLeft(order: Order, amountFen: number): Promise<void> {
  if (!isPaid(order)) throw refused(`Order ${order.orderNo} is ${order.status}: nothing was booked.`);
  const left = leftFen(order, await refundsOf(order.orderNo));
  if (amountFen > left)
    throw refused(`Only ${left} fen of order ${order.orderNo} are left to refund: nothing was booked.`);
}

const isOwn = (refundNo: string): AppError =>
  refused(`It is refund ${refundNo}, which was made here and is in the books: nothing was booked.`);
const notEnded = (refundNo: string): AppError =>
  refused(`Refund ${refundNo} of this order has not ended: nothing was booked. Look at "recharge show".`);
const ofSecondPayment = (refundId: string, transactionId: string): AppError =>
  refused(
    `Refund ${refundId} is of transaction ${transactionId}, which was not credited: there are no units to take, and nothing was booked.`,
  );
const bookedOtherwise = ({ refundNo, amountFen }: Refund): AppError =>
  refused(`This refund is in the books as ${refundNo}, with ${amountFen} fen: nothing was booked.`);

const refused = (sentence: string): AppError => new AppError('INVALID_INPUT', sentence);
