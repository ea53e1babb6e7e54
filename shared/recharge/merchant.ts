import type { CacheRead } from '../admission/request.ts';
import { type CachePolicy, type Load, NOT_READ, type ReadAnswer, readThrough, settleReads } from '../cache/cache.ts';
import { query, type Row } from '../db.ts';
import { LocalCache } from '../local-cache.ts';
import { unseal } from '../master-key.ts';
import { merchantsKey } from '../swept-keys.ts';
import { alarm } from '../telemetry.ts';
import type { Provider } from './provider.ts';
import { wechatpayProvider } from './wechatpay/provider.ts';
import { xpayProvider } from './xpay/provider.ts';

/** Names one merchant: a provider, the merchant's number there, and the mini-program that it is bound to. */
export interface MerchantId {
  provider: string;
  providerAppId: string;
  merchantId: string;
}

/**
 * What a merchant needs to call a provider. The secrets are sealed in MySQL and in Redis, and opened only in memory.
 */
export interface Merchant extends MerchantId {
  /** The merchant of apps that name none. */
  isDefault: boolean;
  sealed: string;
}

export interface Merchants {
  merchants: Merchant[];
  /** Apps that name their merchant, one for each provider. */
  named: Array<MerchantId & { appId: string }>;
}

const KEY = merchantsKey();
const POLICY: CachePolicy = { freshSeconds: 600, graceSeconds: 3_600, nullSeconds: 30 };
const NONE: Merchants = { merchants: [], named: [] };

export const merchantsRead = (): CacheRead => ({ key: KEY });

/** One statement, so that the merchants and the apps that name them are of the same moment. */
const load: Load<Merchants> = async () => {
  const rows = await query(
    `SELECT provider, provider_app_id, merchant_id, is_default, sealed_config, NULL AS app_id FROM merchants
      UNION ALL
     SELECT provider, provider_app_id, merchant_id, 0, NULL, app_id FROM app_merchants
      ORDER BY provider, merchant_id, provider_app_id, app_id`,
  );
  const merchants = rows.filter(({ app_id }) => app_id === null).map(merchantFromRow);
  const named = rows.flatMap((row) => (row.app_id === null ? [] : { ...idFromRow(row), appId: String(row.app_id) }));
  return [{ value: { merchants, named }, version: 0 }];
};

export const idFromRow = (row: Row): MerchantId => ({
  provider: String(row.provider),
  providerAppId: String(row.provider_app_id),
  merchantId: String(row.merchant_id),
});

const merchantFromRow = (row: Row): Merchant => ({
  ...idFromRow(row),
  isDefault: Number(row.is_default) === 1,
  sealed: String(row.sealed_config),
});

/** Makes the list of merchants from the answer of admission's read. */
export async function merchantsFrom(leaseId: string, answer: ReadAnswer = NOT_READ): Promise<Merchants> {
  const [found] = await settleReads(leaseId, [KEY], [answer], POLICY, load);
  return found?.value ?? NONE;
}

/** Kept 5 s in the process, because notifications come without admission. */
const warm = new LocalCache<Merchants>(1, 5_000);

export async function readMerchants(): Promise<Merchants> {
  const known = warm.get('all');
  if (known) return known;
  const startedAt = Date.now();
  const [found] = await readThrough<Merchants>([KEY], POLICY, load);
  const read = found?.value ?? NONE;
  warm.set('all', read, startedAt);
  return read;
}

/** For the portal: as MySQL has them now. */
export const loadMerchants = async (): Promise<Merchants> => (await load([0], true))[0]?.value ?? NONE;

/** For the portal, after it has changed a merchant. */
export const forgetMerchants = (): void => warm.clear();

const MAKERS = new Map<string, (config: unknown) => Provider>([
  ['wechatpay', wechatpayProvider],
  ['xpay', xpayProvider],
]);

/** undefined: no merchants can be set for this name. */
export const makerOf = (provider: string) => MAKERS.get(provider);

export const merchantProviders = (): string[] => [...MAKERS.keys()];

/** The same for all merchants of a provider, so that settings of a former release can be opened. */
export const sealContext = (provider: string): string => `merchant:${provider}`;

/** By the sealed settings: a process opens a provider once for each version of them. */
const opened = new LocalCache<Provider>(50, 3_600_000);

/** undefined: the settings are unusable, and an operator has to correct them. The other merchants still work. */
export function openProvider(merchant: Merchant): Provider | undefined {
  const { provider: name, sealed } = merchant;
  const known = opened.get(sealed);
  if (known && isOf(known, merchant)) return known;
  try {
    const provider = makerOf(name)?.(openSettings(merchant));
    // Settings that were copied from the row of another merchant.
    if (provider && !isOf(provider, merchant)) throw new Error('settings of another merchant');
    if (provider) opened.set(sealed, provider);
    return provider;
  } catch {
    alarm('merchant-unusable', { provider: name, merchantId: merchant.merchantId });
    return undefined;
  }
}

/** Throws SealError if the settings cannot be opened. */
export const openSettings = ({ provider, sealed }: Merchant): unknown =>
  JSON.parse(unseal(sealed, sealContext(provider)));

/** Whether a provider, an order or a merchant belongs to this merchant of the same provider. */
export const isOf = (one: Omit<MerchantId, 'provider'>, other: Omit<MerchantId, 'provider'>): boolean =>
  one.providerAppId === other.providerAppId && one.merchantId === other.merchantId;
