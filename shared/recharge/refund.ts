import { AppError, invalidInput } from '../errors.ts';
import { hasVisibleText } from '../visible-text.ts';
import { refundNumber } from './numbers.ts';
import { findOrder, isPaid, type Order } from './order.ts';
import type { Provider } from './provider.ts';
import { providerOf } from './providers.ts';
import { acceptRefund } from './refund-accept.ts';
import { findRefund, isExplained, isPaidLater, leftFen, type Refund, refundsOf } from './refund-record.ts';
import { advanceRefund, recordRefund } from './refund-steps.ts';
import { WECHATPAY_BOUNDS } from './wechatpay/bounds.ts';
import { isLine } from './wechatpay/input.ts';

/**
 * Refunds: accepted -> processing -> success | closed | abnormal, and accepted -> cancelling -> closed. First the units
 * are taken from the wallet, then the provider sends the money back, always under the same number. A refund is closed
 * when the provider closes it, refuses it for good, or does not know it after an operator cancelled it. Then the units
 * are returned. Units that were spent make the balance negative; the next recharge pays the debt.
 */
interface WantedRefund {
  orderNo: string;
  amountFen: number;
  /** The same key never refunds twice. */
  key: string;
  reason?: string | undefined;
  /** The operator, for the operator log. */
  actor?: string;
  /** Further facts for the operator log. */
  detail?: Record<string, unknown>;
  /** The request of another operator that it executes. */
  approves?: string;
}

/**
 * Requests a refund once for each key, and does all steps that are possible now. The sweeper does the others. Throws
 * NOT_FOUND, INVALID_INPUT (not paid, more than is left of the payment, or refunded at the provider before),
 * IDEMPOTENCY_KEY_REUSED (another amount), UNAVAILABLE (nothing was written).
 */
export async function requestRefund(wanted: WantedRefund): Promise<Refund> {
  const { orderNo, amountFen, key, reason = null, actor } = wanted;
  const refundNo = refundNumber(orderNo, key);
  if (!Number.isSafeInteger(amountFen) || amountFen < 1) throw refused('amountFen', 'expected a positive integer');
  if (reason !== null && !(isLine(reason, WECHATPAY_BOUNDS.reason) && hasVisibleText(reason)))
    throw refused('reason', `expected one line of 1 to ${WECHATPAY_BOUNDS.reason.most} bytes with visible text`);
  const order = await findOrder(orderNo);
  if (!order) throw new AppError('NOT_FOUND');
  const provider = await providerOf(order);
  if (!provider) throw refused('orderNo', 'its merchant is not set up here');
  if (!provider.refunds) throw refused('orderNo', `refunds of ${provider.name} are made at its console`);
  if (!(await findRefund(refundNo))) {
    if (provider.knowsPayer && !(await provider.knowsPayer(order)))
      throw refusedNow(
        `The payer of order ${orderNo} is not known here any more: refund it at WeChat's console, and then run "recharge refund-book --order ${orderNo} --refund-id ID --amount-fen N".`,
      );
    await checkMadeElsewhere(order, provider);
    const detail = { refundNo, amountFen, reason, ...wanted.detail };
    const change =
      actor === undefined
        ? undefined
        : { actor, action: 'recharge.refund', subject: orderNo, detail, approves: wanted.approves };
    await acceptRefund({ refundNo, orderNo, amountFen, reason, origin: 'here', refundId: null, at: null }, change);
  }
  const refund = await findRefund(refundNo);
  if (!refund) throw await whyRefused(orderNo);
  if (refund.amountFen !== amountFen) throw new AppError('IDEMPOTENCY_KEY_REUSED');
  return advanceRefund(refund);
}

/** Money that was returned at the provider, without a refund here that explains it, must not be returned again. */
async function checkMadeElsewhere(order: Order, provider: Provider): Promise<void> {
  const { orderNo } = order;
  if (!provider.returned || !isPaid(order)) return;
  const returned = await provider.returned(order);
  if (returned === 0) return;
  await lookAgain(order, provider);
  if (isExplained(returned, await refundsOf(orderNo))) return;
  throw refusedNow(
    `Order ${orderNo} was refunded at ${provider.name}, and the books do not know that refund: nothing was done. Look it up at the merchant platform, then run "recharge refund-book --order ${orderNo} --refund-id ID --amount-fen N".`,
  );
}

/**
 * A refund that is closed here may have been paid back later, and its notification lost. Then nothing else is paid back
 * now: the person who asked for it did not know.
 */
async function lookAgain(order: Order, provider: Provider): Promise<void> {
  for (const refund of await refundsOf(order.orderNo)) {
    if (refund.status !== 'closed' || refund.origin === 'elsewhere' || isPaidLater(refund)) continue;
    const known = await provider.askRefund(refund.refundNo, order);
    if (!known || known.state === 'closed') continue;
    if (known.state !== 'success')
      throw refusedNow(
        `Refund ${refund.refundNo}, which is closed here, is on its way at ${provider.name}: nothing was done. Try again when it has ended.`,
      );
    await recordRefund(refund, known);
    throw refusedNow(
      `Refund ${refund.refundNo}, which was closed here, was paid back by ${provider.name}: it is in the books now, and nothing else was done. Look at "recharge show --order ${order.orderNo}".`,
    );
  }
}

/** Why acceptRefund() made no refund. */
async function whyRefused(orderNo: string): Promise<AppError> {
  const order = await findOrder(orderNo);
  if (!order) return new AppError('NOT_FOUND');
  const left = leftFen(order, await refundsOf(orderNo));
  return refused(
    'amountFen',
    isPaid(order) ? `at most ${left} fen are left to refund` : `the order is ${order.status}`,
  );
}

const refusedNow = (sentence: string): AppError => new AppError('INVALID_INPUT', sentence);
const refused = (path: string, message: string): AppError => invalidInput({ path, message });
