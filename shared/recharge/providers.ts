import type { ReadAnswer } from '../cache/cache.ts';
import {
  isOf,
  type Merchant,
  type MerchantId,
  type Merchants,
  merchantsFrom,
  openProvider,
  readMerchants,
} from './merchant.ts';
import type { Provider } from './provider.ts';
import { SANDBOX, sandboxProvider } from './sandbox/provider.ts';

/** The providers of this deployment: every merchant that was set, and the sandbox if it is switched on. */
export interface Providers {
  /** For new orders of an app: at most one for each name. It is the merchant that the app names, or the default. */
  offeredTo(appId: string): Provider[];
  /** Who holds the money of an order. undefined: its merchant is not set here any more. */
  holderOf(order: MerchantId): Provider | undefined;
}

/** By the answer of admission's read. `undefined`: the call needs no merchant. */
export async function providersFrom(leaseId: string, answer: ReadAnswer | undefined): Promise<Providers> {
  return providersOf(answer ? await merchantsFrom(leaseId, answer) : { merchants: [], named: [] });
}

function providersOf({ merchants, named }: Merchants): Providers {
  const sandbox = sandboxProvider();
  const open = (merchant: Merchant | undefined) => (merchant && openProvider(merchant)) ?? [];
  return {
    offeredTo(appId) {
      const names = [...new Set(merchants.map(({ provider }) => provider))];
      const chosen = names.flatMap((name) => open(merchantFor({ merchants, named }, appId, name)));
      return sandbox ? [sandbox, ...chosen] : chosen;
    },
    holderOf(order) {
      if (order.provider === SANDBOX) return sandbox;
      const holder = merchants.find((merchant) => merchant.provider === order.provider && isOf(merchant, order));
      return holder && openProvider(holder);
    },
  };
}

/**
 * The merchant of new orders of an app. undefined: there is none. An app whose named merchant was removed has none
 * either: with the default its money would go to somebody else.
 */
export function merchantFor({ merchants, named }: Merchants, appId: string, provider: string): Merchant | undefined {
  const own = named.find((one) => one.appId === appId && one.provider === provider);
  return merchants.find(
    (merchant) => merchant.provider === provider && (own ? isOf(merchant, own) : merchant.isDefault),
  );
}

/** For calls without admission: the default merchant of a provider. undefined: there is no such provider here. */
export async function findProvider(name: string): Promise<Provider | undefined> {
  if (name === SANDBOX) return sandboxProvider();
  const { merchants } = await readMerchants();
  const found = merchants.find((merchant) => merchant.provider === name && merchant.isDefault);
  return found && openProvider(found);
}

/** All merchants of a provider, the default first. Notifications of all come to one address. */
export async function allProviders(name: string): Promise<Provider[]> {
  if (name === SANDBOX) return [sandboxProvider() ?? []].flat();
  const { merchants } = await readMerchants();
  const ofProvider = merchants.filter(({ provider }) => provider === name);
  return ofProvider.sort((a, b) => Number(b.isDefault) - Number(a.isDefault)).flatMap((one) => openProvider(one) ?? []);
}

/**
 * The provider that holds the money of an order. undefined: its merchant is not set here. Another merchant does not
 * know the order. A question to it would close a paid order, and a refund would use the wrong money.
 */
export const providerOf = async (order: MerchantId): Promise<Provider | undefined> =>
  order.provider === SANDBOX ? sandboxProvider() : providersOf(await readMerchants()).holderOf(order);
