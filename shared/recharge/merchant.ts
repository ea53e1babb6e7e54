import type { CacheRead } from '../admission.ts';
import { type CachePolicy, type Load, NOT_READ, type ReadAnswer, readThrough, settleReads } from '../cache.ts';
import { writeThrough } from '../cache-write.ts';
import { query, write } from '../db.ts';
import { keyFamily } from '../keys.ts';
import { LocalCache } from '../local-cache.ts';
import { seal, unseal } from '../master-key.ts';

/** What a merchant needs to call a provider. Its secrets stay sealed in MySQL and in Redis, and are opened in memory. */
export interface Merchant {
  provider: string;
  providerAppId: string;
  merchantId: string;
  sealed: string;
}

const merchantsKey = keyFamily<[string]>({
  area: 'cache',
  name: 'merchants',
  version: 1,
  parts: ['id'],
  ttlSeconds: 4_300,
});
const KEY = merchantsKey('all');
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

/** Turns what admission read into the merchants. */
export async function merchantsFrom(requestId: string, answer: ReadAnswer = NOT_READ): Promise<Merchant[]> {
  const [found] = await settleReads(requestId, [KEY], [answer], POLICY, load);
  return found?.value ?? [];
}

/** 5 s in the process: a notice comes without admission. */
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

const sealContext = (provider: string): string => `merchant:${provider}`;

/** The settings as JSON text. Throws SealError. */
export const openMerchant = ({ provider, sealed }: Merchant): string => unseal(sealed, sealContext(provider));

/** Seals and stores settings that were checked; orders made before keep the merchant they were made with. */
export async function storeMerchant(
  provider: string,
  { providerAppId, merchantId }: { providerAppId: string; merchantId: string },
  config: unknown,
): Promise<void> {
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
}
