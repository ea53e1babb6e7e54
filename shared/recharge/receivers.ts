import { AppError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import type { PushSecrets } from '../wechat/mini-program.ts';
import type { PushMessage } from '../wechat/push/message.ts';
import { isOf } from './merchant.ts';
import { findOrder } from './order.ts';
import { NotificationUnusable, type Provider, type ProviderNotification, type RawNotification } from './provider.ts';
import { allProviders } from './providers.ts';

/**
 * Which merchant a notification is for. All merchants of a provider have one address, so each is tried: the keys that
 * verify and decrypt it, and the numbers in it, decide.
 */

/** Throws NOT_FOUND (no such provider), BAD_NOTIFY_SIGNATURE, INVALID_INPUT, NOTICE_MISMATCH (authentic, of no merchant here). */
export async function readNotification(
  providerName: string,
  raw: RawNotification,
  nowSeconds: number,
): Promise<ProviderNotification> {
  const providers = await allProviders(providerName);
  if (providers.length === 0) throw new AppError('NOT_FOUND');
  try {
    return await firstOf(providers, (provider) => provider.readNotification(raw, nowSeconds));
  } catch (error) {
    if (error instanceof AppError && error.code === 'BAD_NOTIFY_SIGNATURE') {
      count(`recharge.notification-refused.${providerName}`);
    }
    throw error;
  }
}

/** An opened message push of this mini-program. Throws NOT_FOUND (no merchant), BAD_NOTIFY_SIGNATURE. */
export async function readPaymentPush(wechatAppid: string, message: PushMessage): Promise<ProviderNotification> {
  const receivers = await pushReceivers(wechatAppid);
  if (receivers.length === 0) throw new AppError('NOT_FOUND');
  return firstOf(receivers, ({ push }) => push.read(message));
}

/** undefined: no merchant of this mini-program gets its payments by message push. */
export async function findMerchantPushSecrets(wechatAppid: string): Promise<PushSecrets | undefined> {
  const [receiver] = await pushReceivers(wechatAppid);
  return receiver?.push.secrets;
}

type PushReceiver = Provider & { push: NonNullable<Provider['push']> };

async function pushReceivers(wechatAppid: string): Promise<PushReceiver[]> {
  const hasPush = (provider: Provider): provider is PushReceiver => provider.push !== undefined;
  return (await allProviders('xpay')).filter(({ providerAppId }) => providerAppId === wechatAppid).filter(hasPush);
}

/** The answer to the question with which a provider registers our address. Throws NOT_FOUND, BAD_NOTIFY_SIGNATURE. */
export async function echoOf(
  providerName: string,
  query: RawNotification['query'],
  nowSeconds: number,
): Promise<string> {
  let refusal: unknown = new AppError('NOT_FOUND');
  for (const { echo } of await allProviders(providerName)) {
    try {
      if (echo) return echo(query, nowSeconds);
    } catch (error) {
      refusal = error;
    }
  }
  throw refusal;
}

/** What the merchant reads for which the notification is. Throws the refusal of a merchant if none can read it. */
async function firstOf<P extends Provider>(
  providers: readonly P[],
  read: (provider: P) => ProviderNotification,
): Promise<ProviderNotification> {
  const readings: Array<{ provider: P; notification: ProviderNotification }> = [];
  const refusals: AppError[] = [];
  for (const provider of providers) {
    try {
      readings.push({ provider, notification: read(provider) });
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      refusals.push(error);
    }
  }
  const [first] = readings;
  if (first) return (await ownReading(readings)) ?? first.notification;
  const unusable = refusals.find((refusal) => refusal instanceof NotificationUnusable);
  // The provider did send it. A person has to find out for whom it is, or which setting is out of date.
  if (unusable) alarm('notification-mismatch', { provider: providers[0]?.name, difference: unusable.difference });
  throw unusable ?? refusals[0] ?? new AppError('NOT_FOUND');
}

/** Several merchants of one mini-program can read the same push. Its order tells which of them it is for. */
async function ownReading(
  readings: ReadonlyArray<{ provider: Provider; notification: ProviderNotification }>,
): Promise<ProviderNotification | undefined> {
  const orderNo = readings[1] && orderOf(readings[1].notification);
  if (orderNo === undefined) return undefined;
  const order = await findOrder(orderNo);
  return order ? readings.find(({ provider }) => isOf(provider, order))?.notification : undefined;
}

const orderOf = (notification: ProviderNotification): string | undefined => {
  if (notification.kind === 'payment') return notification.payment.orderNo;
  if (notification.kind === 'question') return notification.payment;
  return notification.kind === 'nothing' ? undefined : notification.orderNo;
};
