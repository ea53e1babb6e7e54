import type { ReadAnswer } from '../cache.ts';
import { isMerchantProvider, type Merchant, merchantsFrom, openProvider, readMerchants } from './merchant.ts';
import type { Provider } from './provider.ts';
import { SANDBOX, sandboxProvider } from './sandbox.ts';

/** The providers of this deployment: the sandbox where it is switched on, and every merchant that was set. */
export async function providersFrom(requestId: string, answer: ReadAnswer | undefined): Promise<Provider[]> {
  return withSandbox(answer ? await merchantsFrom(requestId, answer) : []);
}

/** Where no admission rides along. undefined: there is no such provider here. */
export async function findProvider(name: string): Promise<Provider | undefined> {
  if (name === SANDBOX) return sandboxProvider();
  if (!isMerchantProvider(name)) return undefined;
  return withSandbox(await readMerchants()).find((provider) => provider.name === name);
}

function withSandbox(merchants: readonly Merchant[]): Provider[] {
  const sandbox = sandboxProvider();
  const opened = merchants.flatMap((merchant) => openProvider(merchant) ?? []);
  return sandbox ? [sandbox, ...opened] : opened;
}
