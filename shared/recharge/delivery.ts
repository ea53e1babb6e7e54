import { AppError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { claimDelivery, type DueDelivery, dropDeliveries, endDelivery } from './delivery-record.ts';
import type { Provider } from './provider.ts';
import { providerOf } from './providers.ts';

/**
 * A step of the recharge sweeper: tells WeChat that the units of paid orders were delivered. WeChat keeps the money of
 * some mini-programs until then. Each report is claimed by moving its next check, so two sweepers send it once. It is
 * sent again after a lost answer, and WeChat answers that it is known.
 */
const HOUR = 3_600;
/** 1 min, 2 min, 4 min, ... up to 6 h. `checks`: how often it was tried before. In seconds. */
export const nextDeliveryCheck = (checks: number): number => Math.min(60 * 2 ** checks, 6 * HOUR);

/** The check before which the first day has passed, and the one before which a week has passed. */
export const OVERDUE_CHECKS = 12;
export const LAST_CHECKS = 36;

/** `needed`: of this sweep, so that the orders of one mini-program ask once. true: it was reported. */
export async function sweepDelivery(order: DueDelivery, needed: Map<Provider, Promise<boolean>>): Promise<boolean> {
  const { orderNo, deliveryChecks } = order;
  if (!(await claimDelivery(order, nextDeliveryCheck(deliveryChecks)))) return false;
  if (deliveryChecks === OVERDUE_CHECKS) alarm('delivery-overdue', { orderNo });
  if (deliveryChecks >= LAST_CHECKS) return refuse(orderNo, 'tried-for-a-week');
  const provider = await providerOf(order);
  if (!provider?.delivery) throw new AppError('UNAVAILABLE');
  if (!(await isNeeded(provider, needed))) return false;
  const report = await provider.delivery.report(order);
  count(`recharge.delivery.${report.state}`);
  if (report.state === 'refused') return refuse(orderNo, report.why);
  return report.state === 'reported' && endDelivery(orderNo, 'reported');
}

/** A person gets the reason, because nothing else keeps it. */
async function refuse(orderNo: string, why: number | string): Promise<false> {
  if (await endDelivery(orderNo, 'refused')) alarm('delivery-refused', { orderNo, why });
  return false;
}

function isNeeded(provider: Provider, needed: Map<Provider, Promise<boolean>>): Promise<boolean> {
  const known = needed.get(provider);
  if (known) return known;
  const asked = askOrDrop(provider);
  needed.set(provider, asked);
  return asked;
}

async function askOrDrop(provider: Provider): Promise<boolean> {
  const { name, providerAppId } = provider;
  if (await provider.delivery?.isNeeded()) return true;
  await dropDeliveries({ provider: name, providerAppId });
  return false;
}
