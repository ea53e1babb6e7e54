import { query } from '../db.ts';
import { loadMerchants, type Merchant, openProvider } from './merchant.ts';
import { pickMerchant } from './merchant-choice.ts';
import { type OpenWork, openWorkOf } from './open-work.ts';
import { merchantFor } from './providers.ts';

/** What operators see of merchants, never a secret. */
interface ListedMerchant extends OpenWork {
  provider: string;
  appId: string;
  merchantId: string;
  isDefault: boolean;
  /** The provider can be opened with its settings. */
  usable: boolean;
}

export async function listMerchants(): Promise<ListedMerchant[]> {
  const { merchants } = await loadMerchants();
  return Promise.all(
    merchants.map(async (merchant) => ({
      provider: merchant.provider,
      appId: merchant.providerAppId,
      merchantId: merchant.merchantId,
      isDefault: merchant.isDefault,
      usable: openProvider(merchant) !== undefined,
      ...(await openWorkOf(merchant, query)),
    })),
  );
}

/** `name` undefined: the default one. Throws NOT_FOUND, INVALID_INPUT (the name fits several). */
export const findMerchant = async (provider: string, name: string | undefined): Promise<Merchant> =>
  pickMerchant((await loadMerchants()).merchants, provider, name);

/** The merchants to which new orders of an app go. `isOwn`: the app names it; otherwise it is the default. */
export async function merchantsOfApp(appId: string) {
  const all = await loadMerchants();
  const names = [...new Set([...all.merchants, ...all.named].map(({ provider }) => provider))].sort();
  return names.flatMap((provider) => {
    const own = all.named.find((one) => one.appId === appId && one.provider === provider);
    const merchant = merchantFor(all, appId, provider);
    const named = own ?? merchant;
    if (!named) return [];
    const { merchantId, providerAppId } = named;
    return { provider, merchantId, appId: providerAppId, isOwn: own !== undefined, isSet: merchant !== undefined };
  });
}
