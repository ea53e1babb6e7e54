import type { ReadAnswer } from '../cache/cache.ts';
import { isMerchantProvider, type Merchant, merchantsFrom, openProvider, readMerchants } from './merchant.ts';
import type { Order } from './order.ts';
import type { Provider } from './provider.ts';
import { SANDBOX, sandboxProvider } from './sandbox/provider.ts';

/** The providers of this deployment: every merchant that was set, and the sandbox if it is switched on. */
export async function providersFrom(leaseId: string, answer: ReadAnswer | undefined): Promise<Provider[]> {
  return withSandbox(answer ? await merchantsFrom(leaseId, answer) : []);
}

/** For calls without admission. undefined: there is no such provider here. */
export async function findProvider(name: string): Promise<Provider | undefined> {
  if (name === SANDBOX) return sandboxProvider();
  if (!isMerchantProvider(name)) return undefined;
  return withSandbox(await readMerchants()).find((provider) => provider.name === name);
}

/**
 * The provider that holds the money of an order. undefined: it is not set up here, or its merchant was replaced. A new
 * merchant does not know the order. A question to it would close a paid order, and a refund would use the wrong money.
 */
export async function providerOf(order: BoundOrder): Promise<Provider | undefined> {
  const provider = await findProvider(order.provider);
  return provider && isBoundTo(provider, order) ? provider : undefined;
}

type BoundOrder = Pick<Order, 'provider' | 'providerAppId' | 'merchantId'>;

export const isBoundTo = (provider: Provider, order: Omit<BoundOrder, 'provider'>): boolean =>
  order.providerAppId === provider.providerAppId && order.merchantId === provider.merchantId;

function withSandbox(merchants: readonly Merchant[]): Provider[] {
  const sandbox = sandboxProvider();
  const opened = merchants.flatMap((merchant) => openProvider(merchant) ?? []);
  return sandbox ? [sandbox, ...opened] : opened;
}
