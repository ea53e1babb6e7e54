import { AppError } from '../errors.ts';
import { alarm } from '../telemetry.ts';
import type { PushMessage } from '../wechat/push/message.ts';
import { settlePayment } from './payment.ts';
import type { ProviderNotification, RawNotification } from './provider.ts';
import { echoOf, readNotification, readPaymentPush } from './receivers.ts';
import { findRefund, recordMadeRefund, recordRefund } from './refund.ts';

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
  return record(await readNotification(providerName, raw, Math.floor(now / 1000)));
}

async function record(notification: ProviderNotification): Promise<object | string | undefined> {
  if (notification.kind === 'payment') await settlePayment(notification.payment);
  if (notification.kind === 'refund') await receiveRefund(notification);
  if (notification.kind === 'refunded') await recordMadeRefund(notification);
  return notification.kind === 'refund' ? undefined : notification.answer;
}

/**
 * Handles an event of virtual payment that came in the message push of a mini-program, as receiveNotification() does.
 * Throws NOT_FOUND (no merchant of this mini-program, or no such order) and what receiveNotification() throws.
 */
export async function receivePaymentPush(wechatAppid: string, message: PushMessage): Promise<void> {
  await record(await readPaymentPush(wechatAppid, message));
}

/** Answers the question with which a provider registers our address. Throws NOT_FOUND, BAD_NOTIFY_SIGNATURE. */
export const answerRegistration = (
  providerName: string,
  query: RawNotification['query'],
  now = Date.now(),
): Promise<string> => echoOf(providerName, query, Math.floor(now / 1000));

async function receiveRefund(notification: Extract<ProviderNotification, { kind: 'refund' }>): Promise<void> {
  const { refundNo, refundFen, state } = notification;
  const refund = await findRefund(refundNo);
  // Made at the provider's console, so the ledger has no entry for it: a person has to look at it.
  if (!refund) {
    alarm('refund-unknown', { refundNo });
    throw new AppError('NOT_FOUND');
  }
  if (refund.amountFen !== refundFen || refund.orderNo !== notification.orderNo) {
    alarm('notification-mismatch', { refundNo, difference: 'refund' });
    throw new AppError('NOTICE_MISMATCH');
  }
  await recordRefund(refund, state);
}
