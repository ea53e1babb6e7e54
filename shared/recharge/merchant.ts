import type { CacheRead } from '../admission/request.ts';
import { type CachePolicy, type Load, NOT_READ, type ReadAnswer, readThrough, settleReads } from '../cache/cache.ts';
import { writeThrough } from '../cache/write.ts';
import { query, write } from '../db.ts';
import { invalidInput } from '../errors.ts';
import { LocalCache } from '../local-cache.ts';
import { seal, unseal } from '../master-key.ts';
import { outgoingUrl } from '../outgoing-address.ts';
import { merchantsKey } from '../swept-keys.ts';
import { alarm } from '../telemetry.ts';
import type { Provider } from './provider.ts';
import { WechatPayInputError } from './wechatpay/error.ts';
import { wechatpayProvider } from './wechatpay/provider.ts';
import { XpayInputError } from './xpay/payment.ts';
import { xpayProvider } from './xpay/provider.ts';

/**
 * What a merchant needs to call a provider. The secrets are sealed in MySQL and in Redis, and opened only in memory.
 */
export interface Merchant {
  provider: string;
  providerAppId: string;
  merchantId: string;
  sealed: string;
}

const KEY = merchantsKey();
const POLICY: CachePolicy = { freshSeconds: 600, graceSeconds: 3_600, nullSeconds: 30 };

export const merchantsRead = (): CacheRead => ({ key: KEY });

const load: Load<Merchant[]> = async () => {
  const rows = await query(
    'SELECT provider, provider_app_id, merchant_id, sealed_config FROM merchants ORDER BY provider',
  );
  const merchants = rows.map((row) => ({
    provider: String(row.provider),
    providerAppId: String(row.provider_app_id),
    merchantId: String(row.merchant_id),
    sealed: String(row.sealed_config),
  }));
  return [{ value: merchants, version: 0 }];
};

/** Makes the list of merchants from the answer of admission's read. */
export async function merchantsFrom(leaseId: string, answer: ReadAnswer = NOT_READ): Promise<Merchant[]> {
  const [found] = await settleReads(leaseId, [KEY], [answer], POLICY, load);
  return found?.value ?? [];
}

/** Kept 5 s in the process, because notifications come without admission. */
const warm = new LocalCache<Merchant[]>(1, 5_000);

export async function readMerchants(): Promise<Merchant[]> {
  const known = warm.get('all');
  if (known) return known;
  const startedAt = Date.now();
  const [found] = await readThrough<Merchant[]>([KEY], POLICY, load);
  const merchants = found?.value ?? [];
  warm.set('all', merchants, startedAt);
  return merchants;
}

const MAKERS = new Map<string, (config: unknown) => Provider>([
  ['wechatpay', wechatpayProvider],
  ['xpay', xpayProvider],
]);

export const isMerchantProvider = (name: string): boolean => MAKERS.has(name);

export const sealContext = (provider: string): string => `merchant:${provider}`;

/** By the sealed settings: a process opens a provider once for each version of them. */
const opened = new LocalCache<Provider>(20, 3_600_000);

/** undefined: the settings are unusable, and an operator has to correct them. The other providers still work. */
export function openProvider({ provider: name, sealed }: Merchant): Provider | undefined {
  const known = opened.get(sealed);
  if (known) return known;
  try {
    const provider = MAKERS.get(name)?.(JSON.parse(unseal(sealed, sealContext(name))));
    if (provider) opened.set(sealed, provider);
    return provider;
  } catch {
    alarm('merchant-unusable', { provider: name });
    return undefined;
  }
}

/**
 * Stores the settings of a provider (wechatpay: WechatPayConfig; xpay: XpayMerchant), sealed under the master key.
 * Existing orders keep their merchant. Throws INVALID_INPUT that names the unusable member.
 */
export async function setMerchant(provider: string, config: unknown): Promise<{ appId: string; merchantId: string }> {
  const { providerAppId, merchantId } = checked(provider, config);
  checkUrls(config);
  const sealed = seal(JSON.stringify(config), sealContext(provider));
  await writeThrough(
    () =>
      write(
        `INSERT INTO merchants (provider, provider_app_id, merchant_id, sealed_config) VALUES (?, ?, ?, ?)
         ON DUPLICATE KEY UPDATE provider_app_id = VALUES(provider_app_id), merchant_id = VALUES(merchant_id),
           sealed_config = VALUES(sealed_config), version = version + 1`,
        [provider, providerAppId, merchantId, sealed],
      ),
    () => [KEY],
  );
  warm.clear();
  return { appId: providerAppId, merchantId };
}

/** Calls with the merchant's signature go to baseUrl, and the provider is told notifyUrl. Throws INVALID_INPUT. */
function checkUrls(config: unknown): void {
  for (const member of ['baseUrl', 'notifyUrl']) {
    const url = (config as Record<string, unknown>)[member];
    if (typeof url !== 'string' || outgoingUrl(url)) continue;
    throw invalidInput({ path: member, message: 'expected an https URL of a public host' });
  }
}

function checked(provider: string, config: unknown): Provider {
  const make = MAKERS.get(provider);
  if (!make) throw invalidInput({ path: 'provider', message: `expected one of ${[...MAKERS.keys()].join(', ')}` });
  if (typeof config !== 'object' || config === null)
    throw invalidInput({ path: 'config', message: 'expected an object' });
  try {
    return make(config);
  } catch (error) {
    if (error instanceof WechatPayInputError || error instanceof XpayInputError) {
      throw invalidInput({ path: error.path, message: 'is not acceptable' });
    }
    throw error;
  }
}

/** All settings without their secrets. `usable`: the provider can be opened with them. */
export async function listMerchants() {
  const merchants = (await load([0], true))[0]?.value ?? [];
  return merchants.map((merchant) => ({
    provider: merchant.provider,
    appId: merchant.providerAppId,
    merchantId: merchant.merchantId,
    usable: openProvider(merchant) !== undefined,
  }));
}

/** false: there was no such provider. */
export async function removeMerchant(provider: string): Promise<boolean> {
  const { rowsAffected } = await writeThrough(
    () => write('DELETE FROM merchants WHERE provider = ?', [provider]),
    () => [KEY],
  );
  warm.clear();
  return rowsAffected > 0;
}
