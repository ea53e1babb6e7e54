import type { ReadAnswer } from '../cache.ts';
import { LocalCache } from '../local-cache.ts';
import { alarm } from '../telemetry.ts';
import { type Merchant, merchantsFrom, openMerchant, readMerchants } from './merchant.ts';
import type { Provider } from './provider.ts';
import { SANDBOX, sandboxProvider } from './sandbox.ts';
import { wechatpayProvider } from './wechatpay-provider.ts';

/** The providers of this deployment: the sandbox where it is switched on, and every merchant that was set. */
export async function providersFrom(requestId: string, answer: ReadAnswer | undefined): Promise<Provider[]> {
  return withSandbox(answer ? await merchantsFrom(requestId, answer) : []);
}

/** Where no admission rides along. undefined: there is no such provider here. */
export async function findProvider(name: string): Promise<Provider | undefined> {
  if (name === SANDBOX) return sandboxProvider();
  if (!(name in MAKERS)) return undefined;
  return withSandbox(await readMerchants()).find((provider) => provider.name === name);
}

function withSandbox(merchants: readonly Merchant[]): Provider[] {
  const sandbox = sandboxProvider();
  const opened = merchants.flatMap((merchant) => openProvider(merchant) ?? []);
  return sandbox ? [sandbox, ...opened] : opened;
}

const MAKERS: Record<string, (config: unknown) => Provider> = { wechatpay: wechatpayProvider };

/** By what is sealed: a provider is opened once per process and setting. */
const opened = new LocalCache<Provider>(20, 3_600_000);

/** undefined: its settings cannot work, which is for an operator to mend; the other providers go on. */
function openProvider(merchant: Merchant): Provider | undefined {
  const known = opened.get(merchant.sealed);
  if (known) return known;
  try {
    const provider = MAKERS[merchant.provider]?.(JSON.parse(openMerchant(merchant)));
    if (provider) opened.set(merchant.sealed, provider);
    return provider;
  } catch {
    alarm('merchant-unusable', { provider: merchant.provider });
    return undefined;
  }
}

/** Throws what the provider's settings lack; for who sets them. */
export function checkMerchantConfig(provider: string, config: unknown): Pick<Provider, 'providerAppId' | 'merchantId'> {
  const make = MAKERS[provider];
  if (!make) throw new TypeError(`there is no provider ${provider}`);
  return make(config);
}
