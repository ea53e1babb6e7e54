import type { Transaction } from '../db.ts';
import { AppError } from '../errors.ts';
import { idFromRow, type MerchantId } from './merchant.ts';

export interface StoredMerchant extends MerchantId {
  isDefault: boolean;
}

/** The merchants of a provider. No other transaction changes or adds one of them at the same time. */
export async function lockMerchants({ query }: Transaction, provider: string): Promise<StoredMerchant[]> {
  const rows = await query(
    'SELECT provider, provider_app_id, merchant_id, is_default FROM merchants WHERE provider = ? FOR UPDATE',
    [provider],
  );
  return rows.map((row) => ({ ...idFromRow(row), isDefault: Number(row.is_default) === 1 }));
}

/**
 * The merchant that an operator names: by its number, or by `number/appid` where one number has several mini-programs.
 * `name` undefined: the default. Throws NOT_FOUND, INVALID_INPUT (several).
 */
export function pickMerchant<M extends StoredMerchant>(merchants: readonly M[], provider: string, name?: string): M {
  const ofProvider = merchants.filter((merchant) => merchant.provider === provider);
  const [number, appid] = name?.split('/') ?? [];
  const found = ofProvider.filter((merchant) =>
    name === undefined
      ? merchant.isDefault
      : merchant.merchantId === number && (appid === undefined || merchant.providerAppId === appid),
  );
  const [merchant, another] = found;
  if (!merchant) {
    const missing = name === undefined ? `No merchant is set for ${provider}.` : `${provider} has no merchant ${name}.`;
    throw new AppError('NOT_FOUND', missing);
  }
  if (another) {
    const names = found.map(({ merchantId, providerAppId }) => `${merchantId}/${providerAppId}`);
    throw new AppError('INVALID_INPUT', `Merchant ${name} has several mini-programs: name one of ${names.join(', ')}.`);
  }
  return merchant;
}
