import { AppError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import type { PushMessage } from '../wechat/push/message.ts';
import { findOrder } from './order.ts';
import { settlePayment } from './payment.ts';
import type { ProviderNotification, RawNotification } from './provider.ts';
import { echoOf, readNotification, readPaymentPush } from './receivers.ts';
import { refundAdvice } from './refund-advice.ts';
import { recordMadeRefund } from './refund-elsewhere.ts';
import { findRefund } from './refund-record.ts';
import { recordRefund } from './refund-steps.ts';

/**
 * Handles a provider's notification. When it returns, the reported payment or refund is durable. Returns the body of
 * the answer; undefined: an empty answer. Throws NOT_FOUND (no such provider or order), BAD_NOTIFY_SIGNATURE,
 * INVALID_INPUT, NOTICE_MISMATCH, EngineError.
 */
export async function receiveNotification(
  providerName: string,
  raw: RawNotification,
  now = Date.now(),
): Promise<object | string | undefined> {
  return record(providerName, await readNotification(providerName, raw, Math.floor(now / 1000)));
}

async function record(provider: string, notification: ProviderNotification): Promise<object | string | undefined> {
  if (notification.kind === 'payment') await settlePayment(notification.payment);
  if (notification.kind === 'refund') await receiveRefund(provider, notification);
  if (notification.kind === 'refunded') await recordMadeRefund(provider, notification);
  if (notification.kind === 'question') return notification.answer(await refundAdvice(provider, notification.payment));
  return notification.kind === 'refund' ? undefined : notification.answer;
}

/**
 * Handles an event of virtual payment that came in the message push of a mini-program, as receiveNotification() does.
 * Returns the answer. Throws NOT_FOUND (no merchant of this mini-program, or no such order) and what
 * receiveNotification() throws.
 */
export const receivePaymentPush = async (
  wechatAppid: string,
  message: PushMessage,
): Promise<object | string | undefined> => record('xpay', await readPaymentPush(wechatAppid, message));

/** Answers the question with which a provider registers our address. Throws NOT_FOUND, BAD_NOTIFY_SIGNATURE. */
export const answerRegistration = (
  providerName: string,
  query: RawNotification['query'],
  now = Date.now(),
): Promise<string> => echoOf(providerName, query, Math.floor(now / 1000));

type RefundNotification = Extract<ProviderNotification, { kind: 'refund' }>;

async function receiveRefund(provider: string, notification: RefundNotification): Promise<void> {
  const { refundNo, orderNo, refundFen, state, refundId, at } = notification;
  const refund = await findRefund(refundNo);
  if (!refund) return receiveRefundMadeElsewhere(provider, notification);
  if (refund.amountFen !== refundFen || refund.orderNo !== orderNo) {
    alarm('notification-mismatch', { refundNo, difference: 'refund' });
    throw new AppError('NOTICE_MISMATCH');
  }
  // The day of the bill is the one on which the refund was accepted. An answer reports it better than a notification.
  await recordRefund(refund, { state, refundId, acceptedAt: refund.providerAt ?? at });
}

/**
 * A refund that was made at the provider's console. A success is recorded. Any other end moved no money, or not yet:
 * nothing is recorded, a person gets an alarm, and the notification counts as received. If the provider pays the money
 * back later, it sends a notification of the success.
 */
async function receiveRefundMadeElsewhere(provider: string, notification: RefundNotification): Promise<void> {
  const { refundNo, orderNo, transactionId, refundFen, state, refundId, at } = notification;
  if ((await findOrder(orderNo))?.provider !== provider) {
    alarm('refund-unknown', { refundNo, orderNo, state });
    throw new AppError('NOT_FOUND');
  }
  if (state !== 'success' || refundId === null) return alarm('refund-unknown', { refundNo, orderNo, state });
  await recordMadeRefund(provider, { orderNo, transactionId, reference: refundId, refundFen, at });
  count('recharge.refund-elsewhere');
}
