import { AppError } from '../../shared/errors.ts';
import { logChange } from '../../shared/operator-log.ts';
import { listMerchants, removeMerchant, setMerchant } from '../../shared/recharge/merchant.ts';
import { type Given, type Noun, type Printed, required } from '../command.ts';
import { jsonForm, textOfFile } from '../forms.ts';
import { translated } from '../language.ts';
import { table } from '../table.ts';

const PROVIDER = required('P', 'the payment provider, such as wechatpay');

async function set(given: Given): Promise<Printed> {
  const provider = given.text('provider');
  const merchant = await setMerchant(
    provider,
    jsonForm('json-config', textOfFile('json-config', given.text('json-config'))),
  );
  await logChange({ actor: given.actor, action: 'merchant.set', subject: provider, detail: merchant });
  return { json: { provider, ...merchant }, text: [`${provider} uses merchant ${merchant.merchantId}.`] };
}

async function whatSetReplaces(given: Given): Promise<string[]> {
  const former = await known(given);
  if (!former) return [];
  return [`${former.provider} uses merchant ${former.merchantId} now: its settings will be replaced.`];
}

async function whatRemoveEnds(given: Given): Promise<string[]> {
  const former = await known(given);
  if (!former) return [];
  return [
    `Merchant ${former.merchantId} of ${former.provider} will be removed: no orders, syncs and refunds there until it is set again.`,
  ];
}

const known = async (given: Given) =>
  (await listMerchants()).find(({ provider }) => provider === given.text('provider'));

async function list(): Promise<Printed> {
  const merchants = await listMerchants();
  const rows = merchants.map(({ provider, appId, merchantId, usable }) => [
    provider,
    appId,
    merchantId,
    usable ? '' : translated('cannot be used: set it again'),
  ]);
  return { json: { merchants }, text: table(['provider', 'mini-program', 'merchant', ''], rows) };
}

async function remove(given: Given): Promise<Printed> {
  const provider = given.text('provider');
  if (!(await removeMerchant(provider))) throw new AppError('NOT_FOUND', `No merchant is set for ${provider}.`);
  await logChange({ actor: given.actor, action: 'merchant.remove', subject: provider });
  return { json: { provider, removed: true }, text: [`The merchant of ${provider} is removed.`] };
}

export const merchant: Noun = {
  about: 'merchant settings of the payment providers, sealed at rest',
  verbs: {
    set: {
      about: 'Sets the merchant of a provider. Existing orders keep their merchant.',
      options: { provider: PROVIDER, 'json-config': required('FILE', 'its settings as JSON (docs/recharge.md)') },
      destructive: whatSetReplaces,
      run: set,
    },
    list: { about: 'Lists the merchants, without their secrets.', options: {}, destructive: false, run: list },
    remove: {
      about: 'Removes the merchant of a provider.',
      options: { provider: PROVIDER },
      destructive: whatRemoveEnds,
      run: remove,
    },
  },
};
