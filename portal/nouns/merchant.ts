import { checkMerchant } from '../../shared/recharge/check-merchant.ts';
import { removeMerchant, setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { pickMerchant } from '../../shared/recharge/merchant-choice.ts';
import { findMerchant, listMerchants } from '../../shared/recharge/merchant-list.ts';
import { sayOpenWork } from '../../shared/recharge/open-work.ts';
import { flag, type Given, type Noun, optional, type Printed, required } from '../command.ts';
import { jsonForm, textOfFile } from '../forms.ts';
import { translated } from '../language.ts';
import { table } from '../table.ts';

const PROVIDER = required('P', 'the payment provider, such as wechatpay');
const MERCHANT = optional(
  'M',
  "the merchant's number, or number/appid if it has several mini-programs (default: the default merchant)",
);

const settingsOf = (given: Given): unknown =>
  jsonForm('json-config', textOfFile('json-config', given.text('json-config')));

async function set(given: Given): Promise<Printed> {
  const provider = given.text('provider');
  const merchant = await setMerchant(provider, settingsOf(given), {
    actor: given.actor,
    merchantId: given.optional('merchant'),
    force: given.flag('force'),
  });
  const { merchantId, isDefault, former } = merchant;
  const text = [
    isDefault
      ? `${provider} uses merchant ${merchantId}.`
      : `Merchant ${merchantId} of ${provider} is set beside the default.`,
    ...(former ? [`Merchant ${former.merchantId} (${former.appId}) stays for its own orders.`] : []),
  ];
  return { json: { provider, ...merchant }, text };
}

/** The settings of the same merchant change freely; another default is what an operator should look at twice. */
async function whatSetReplaces(given: Given): Promise<string[]> {
  const provider = given.text('provider');
  const settings = Object(settingsOf(given)) as Record<string, unknown>;
  const number = given.optional('merchant');
  const stored = (await listMerchants()).filter((one) => one.provider === provider);
  const same = ({ merchantId, appId }: { merchantId: string; appId: string }) =>
    merchantId === String(settings.mchId ?? settings.offerId) && appId === settings.appId;
  const replaced = stored.find(same);
  const present = number === undefined ? stored.find(({ isDefault }) => isDefault) : undefined;
  if (replaced && (!present || same(present)))
    return [`${provider} uses merchant ${replaced.merchantId} now: its settings will be replaced.`];
  if (!present) return [];
  return [
    `New orders of ${provider} will go to another merchant than ${present.merchantId} (${present.appId}), which stays for its own orders: ${sayOpenWork(present)}.`,
  ];
}

async function whatRemoveEnds(given: Given): Promise<string[]> {
  const provider = given.text('provider');
  const stored = (await listMerchants()).map((one) => ({ ...one, providerAppId: one.appId }));
  const merchant = pickMerchant(stored, provider, given.optional('merchant'));
  return [
    `Merchant ${merchant.merchantId} of ${provider} will be removed: no orders, syncs and refunds there until it is set again. It has ${sayOpenWork(merchant)}.`,
  ];
}

async function list(): Promise<Printed> {
  const merchants = await listMerchants();
  const rows = merchants.map((one) => [
    one.provider,
    one.appId,
    one.merchantId,
    one.isDefault ? translated('default') : '',
    String(one.openOrders),
    String(one.runningRefunds),
    one.apps.join(', '),
    one.usable ? '' : translated('cannot be used: set it again'),
  ]);
  const heads = ['provider', 'mini-program', 'merchant', '', 'open orders', 'running refunds', 'apps', ''];
  return { json: { merchants }, text: table(heads, rows) };
}

async function remove(given: Given): Promise<Printed> {
  const provider = given.text('provider');
  const options = { actor: given.actor, force: given.flag('force') };
  const removed = await removeMerchant(provider, given.optional('merchant'), options);
  return {
    json: { provider, ...removed, removed: true },
    text: [`Merchant ${removed.merchantId} of ${provider} is removed.`],
  };
}

async function check(given: Given): Promise<Printed> {
  const provider = given.text('provider');
  const merchant = await findMerchant(provider, given.optional('merchant'));
  const { works, said } = await checkMerchant(merchant);
  const { merchantId, providerAppId: appId } = merchant;
  return { json: { provider, merchantId, appId, works, said }, text: [said], problemFound: !works };
}

export const merchant: Noun = {
  about: 'merchant settings of the payment providers, sealed at rest',
  verbs: {
    set: {
      about: 'Sets the default merchant of a provider, or with --merchant a further one. Orders keep their merchant.',
      options: {
        provider: PROVIDER,
        'json-config': required('FILE', 'its settings as JSON (docs/recharge.md)'),
        merchant: optional('M', "the merchant's number, as in the settings: the default stays"),
        force: flag('another default although the present one has open orders or running refunds'),
      },
      destructive: whatSetReplaces,
      run: set,
    },
    list: {
      about: 'Lists the merchants with their open orders and apps, without their secrets.',
      options: {},
      destructive: false,
      run: list,
    },
    check: {
      about:
        'Asks the provider about an order that cannot exist: are our signature and its answer accepted? Exit code 1: no.',
      options: { provider: PROVIDER, merchant: MERCHANT },
      destructive: false,
      run: check,
    },
    remove: {
      about: 'Removes a merchant of a provider.',
      options: {
        provider: PROVIDER,
        merchant: MERCHANT,
        force: flag('also while it has open orders, running refunds or apps'),
      },
      destructive: whatRemoveEnds,
      run: remove,
    },
  },
};
