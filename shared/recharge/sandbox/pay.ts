import { AppError } from '../../errors.ts';
import { send } from '../../transport.ts';
import { receiveNotification } from '../notification.ts';
import { payInSandbox, SANDBOX } from './provider.ts';

/**
 * Pays an order at the sandbox in the place of its payer. With `notification` the sandbox sends its notification: over
 * HTTP if `url` (of the API) is given, otherwise as a direct call. Without it only `sync` or the sweeper finds the
 * payment. Throws NOT_FOUND: no such order of the sandbox, or no sandbox. UNAVAILABLE: paid, but the notification was
 * not accepted.
 */
export async function payAtSandbox(
  orderNo: string,
  options: { notification: boolean; url?: string; actor?: string },
): Promise<{ orderNo: string; notified: boolean }> {
  const signed = await payInSandbox(orderNo, options.actor);
  if (!signed) throw new AppError('NOT_FOUND');
  if (!options.notification) return { orderNo, notified: false };
  const { headers, body } = signed;
  if (options.url === undefined) {
    await receiveNotification(SANDBOX, { headers, query: {}, body: Buffer.from(body) });
    return { orderNo, notified: true };
  }
  const url = new URL('/recharge/notify/sandbox', options.url);
  const answer = await send({ url, method: 'POST', headers, body, timeoutMs: 10_000, repeatable: true });
  if (answer.status >= 300)
    throw new AppError('UNAVAILABLE', 'Paid, but the notification was not accepted; run recharge sync.');
  return { orderNo, notified: true };
}
