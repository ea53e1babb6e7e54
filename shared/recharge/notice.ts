import { AppError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { settlePayment } from './payment.ts';
import type { ProviderNotice, RawNotice } from './provider.ts';
import { findProvider } from './providers.ts';
import { findRefund, recordMadeRefund, recordRefund } from './refund.ts';

/**
 * Takes a provider's notice; when it returns, what it tells is durable. undefined: nothing is to be said in the answer.
 * Throws NOT_FOUND (no such provider or order), BAD_NOTIFY_SIGNATURE, INVALID_INPUT, NOTICE_MISMATCH, EngineError.
 */
export async function receiveNotice(
  providerName: string,
  raw: RawNotice,
  now = Date.now(),
): Promise<object | undefined> {
  const provider = await findProvider(providerName);
  if (!provider) throw new AppError('NOT_FOUND');
  let notice: ProviderNotice;
  try {
    notice = provider.readNotice(raw, Math.floor(now / 1000));
  } catch (error) {
    if (error instanceof AppError && error.code === 'BAD_NOTIFY_SIGNATURE') {
      count(`recharge.notice-refused.${provider.name}`);
    }
    throw error;
  }
  if (notice.kind === 'payment') await settlePayment(notice.payment);
  if (notice.kind === 'refund') await receiveRefund(notice);
  if (notice.kind === 'refunded') await recordMadeRefund(notice);
  return notice.kind === 'refund' ? undefined : notice.answer;
}

/** Answers the question by which a provider registers our address. Throws NOT_FOUND, BAD_NOTIFY_SIGNATURE. */
export async function answerRegistration(
  providerName: string,
  query: RawNotice['query'],
  now = Date.now(),
): Promise<string> {
  const provider = await findProvider(providerName);
  if (!provider?.echo) throw new AppError('NOT_FOUND');
  return provider.echo(query, Math.floor(now / 1000));
}

async function receiveRefund(notice: Extract<ProviderNotice, { kind: 'refund' }>): Promise<void> {
  const { refundNo, refundFen, state } = notice;
  const refund = await findRefund(refundNo);
  // Made by hand at the provider: the ledger knows nothing of it, so a person has to.
  if (!refund) {
    alarm('refund-unknown', { refundNo });
    throw new AppError('NOT_FOUND');
  }
  if (refund.amountFen !== refundFen || refund.orderNo !== notice.orderNo) {
    alarm('notice-mismatch', { refundNo, difference: 'refund' });
    throw new AppError('NOTICE_MISMATCH');
  }
  await recordRefund(refund, state);
}
