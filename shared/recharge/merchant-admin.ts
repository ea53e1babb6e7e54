import { writeThrough } from '../cache/write.ts';
import { type Transaction, withTransaction } from '../db.ts';
import { AppError, invalidInput } from '../errors.ts';
import { seal } from '../master-key.ts';
import { operatorLogStatement } from '../operator-log.ts';
import { merchantsKey } from '../swept-keys.ts';
import { forgetMerchants, isOf, type MerchantId, sealContext } from './merchant.ts';
import { lockMerchants, pickMerchant, type StoredMerchant } from './merchant-choice.ts';
import { openChecked } from './merchant-settings.ts';
import { isBusy, openWorkOf, sayOpenWork } from './open-work.ts';

/** Operators' commands for merchants. Functions do not import this file; they read merchants through merchant.ts. */

interface SetOptions {
  actor: string;
  /** The merchant's number: a merchant beside the default is set. Without it: the default. */
  merchantId?: string | undefined;
  /** Takes another default also while the present one has open orders or running refunds. */
  force?: boolean;
}

interface SetResult {
  appId: string;
  merchantId: string;
  isDefault: boolean;
  /** The default before, which stays for its own orders. null: it is the same, or there was none. */
  former: { appId: string; merchantId: string } | null;
}

/**
 * Stores the settings of a merchant (wechatpay: WechatPayConfig; xpay: XpayMerchant), sealed under the master key.
 * Existing orders keep their merchant. Throws INVALID_INPUT that names the unusable member, and for a new default
 * while the present one has open work.
 */
export async function setMerchant(provider: string, config: unknown, options: SetOptions): Promise<SetResult> {
  const opened = openChecked(provider, config);
  const { providerAppId, merchantId } = opened;
  if (options.merchantId !== undefined && options.merchantId !== merchantId)
    throw invalidInput({ path: 'merchant', message: `is not the merchant of the settings, which is ${merchantId}` });
  const sealed = seal(JSON.stringify(config), sealContext(provider));
  const asDefault = options.merchantId === undefined;
  return changeMerchants(async (transaction) => {
    const stored = await lockMerchants(transaction, provider);
    const present = stored.find(({ isDefault }) => isDefault);
    const former = asDefault && present && !isOf(present, opened) ? present : null;
    if (former) await replaceDefault(transaction, former, options.force === true);
    const isDefault = asDefault || (present !== undefined && isOf(present, opened));
    await transaction.write(
      `INSERT INTO merchants (provider, provider_app_id, merchant_id, sealed_config, is_default) VALUES (?, ?, ?, ?, ?)
       ON DUPLICATE KEY UPDATE sealed_config = VALUES(sealed_config), is_default = VALUES(is_default),
         version = version + 1`,
      [provider, providerAppId, merchantId, sealed, isDefault ? 1 : 0],
    );
    const result = { appId: providerAppId, merchantId, isDefault, former: former && shownId(former) };
    await logIn(transaction, options.actor, 'merchant.set', provider, { ...result, force: options.force === true });
    return result;
  });
}

async function replaceDefault(transaction: Transaction, former: StoredMerchant, force: boolean): Promise<void> {
  const open = await openWorkOf(former, transaction.query);
  if (isBusy(open) && !force) {
    throw new AppError(
      'INVALID_INPUT',
      `Merchant ${former.merchantId} (${former.providerAppId}) has ${sayOpenWork(open)}: nothing was changed. ` +
        'With --force the new merchant becomes the default, and this one stays for its own orders.',
    );
  }
  await transaction.write('UPDATE merchants SET is_default = 0, version = version + 1 WHERE provider = ?', [
    former.provider,
  ]);
}

/**
 * Removes a merchant; `name` undefined: the default one. Throws NOT_FOUND; INVALID_INPUT, unless `force`, while it has
 * open work or apps name it.
 */
export function removeMerchant(
  provider: string,
  name: string | undefined,
  { actor, force }: { actor: string; force: boolean },
): Promise<{ appId: string; merchantId: string }> {
  return changeMerchants(async (transaction) => {
    const merchant = pickMerchant(await lockMerchants(transaction, provider), provider, name);
    const open = await openWorkOf(merchant, transaction.query);
    if ((isBusy(open) || open.apps.length > 0) && !force) {
      throw new AppError(
        'INVALID_INPUT',
        `Merchant ${merchant.merchantId} (${merchant.providerAppId}) has ${sayOpenWork(open)}, and ${open.apps.length} apps name it: nothing was changed. --force removes it.`,
      );
    }
    await transaction.write(
      'DELETE FROM merchants WHERE provider = ? AND merchant_id = ? AND provider_app_id = ?',
      keyOf(merchant),
    );
    await touchAll(transaction, provider);
    await logIn(transaction, actor, 'merchant.remove', provider, { ...shownId(merchant), force });
    return shownId(merchant);
  });
}

/** New orders of the app go to this merchant; `name` null: to the default. Throws NOT_FOUND, INVALID_INPUT. */
export function bindMerchant(
  appId: string,
  provider: string,
  name: string | null,
  actor: string,
): Promise<{ appId: string; merchantId: string } | null> {
  return changeMerchants(async (transaction) => {
    const [app] = await transaction.query('SELECT 1 AS found FROM apps WHERE app_id = ?', [appId]);
    if (!app) throw new AppError('NOT_FOUND', `There is no app ${appId}; "app list" lists all apps.`);
    const stored = await lockMerchants(transaction, provider);
    const merchant = name === null ? null : pickMerchant(stored, provider, name);
    if (merchant) {
      await transaction.write(
        `INSERT INTO app_merchants (provider, merchant_id, provider_app_id, app_id) VALUES (?, ?, ?, ?)
         ON DUPLICATE KEY UPDATE merchant_id = VALUES(merchant_id), provider_app_id = VALUES(provider_app_id),
           version = version + 1`,
        [...keyOf(merchant), appId],
      );
    } else {
      await transaction.write('DELETE FROM app_merchants WHERE app_id = ? AND provider = ?', [appId, provider]);
      await touchAll(transaction, provider);
    }
    const bound = merchant && shownId(merchant);
    await logIn(transaction, actor, 'app.merchant', appId, { provider, merchant: bound });
    return bound;
  });
}

/** A deleted row has no time of change. So the other rows get one, by which the sweep of changed rows finds the change. */
const touchAll = (transaction: Transaction, provider: string) =>
  transaction.write('UPDATE merchants SET version = version + 1 WHERE provider = ?', [provider]);

const logIn = (
  transaction: Transaction,
  actor: string,
  action: string,
  subject: string,
  detail: Record<string, unknown>,
) => transaction.write(...operatorLogStatement({ actor, action, subject, detail }));

const keyOf = ({ provider, merchantId, providerAppId }: MerchantId): string[] => [provider, merchantId, providerAppId];
const shownId = ({ providerAppId, merchantId }: MerchantId) => ({ appId: providerAppId, merchantId });

async function changeMerchants<T>(work: (transaction: Transaction) => Promise<T>): Promise<T> {
  try {
    return await writeThrough(() => withTransaction(work), [merchantsKey()]);
  } finally {
    forgetMerchants();
  }
}
