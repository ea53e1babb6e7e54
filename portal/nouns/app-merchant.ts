import { bindMerchant } from '../../shared/recharge/merchant-admin.ts';
import { findMerchant, merchantsOfApp } from '../../shared/recharge/merchant-list.ts';
import { flag, type Given, optional, type Printed, required, UsageError, type Verb } from '../command.ts';
import { translated } from '../language.ts';

/** `app merchant`: the merchant to which new orders of an app go. */

/** null: the default. Throws UsageError unless exactly one is given. */
function wantedOf(given: Given): string | null {
  const merchant = given.optional('merchant');
  if ((merchant !== undefined) === given.flag('none')) throw new UsageError('give either --merchant or --none');
  return merchant ?? null;
}

async function run(given: Given): Promise<Printed> {
  const wanted = wantedOf(given);
  const [appId, provider] = [given.text('app'), given.text('provider')];
  const bound = await bindMerchant(appId, provider, wanted, given.actor);
  const text = bound
    ? `New orders of app ${appId} by ${provider} go to merchant ${bound.merchantId} (${bound.appId}).`
    : `New orders of app ${appId} by ${provider} go to the default merchant.`;
  return { json: { appId, provider, merchant: bound }, text: [text] };
}

async function whatMoves(given: Given): Promise<string[]> {
  const wanted = wantedOf(given);
  const [appId, provider] = [given.text('app'), given.text('provider')];
  const now = (await merchantsOfApp(appId)).find((one) => one.provider === provider);
  if (wanted === null) {
    if (!now?.isOwn) return [];
    return [`App ${appId}: new orders by ${provider} will go to the default merchant, and not to ${now.merchantId}.`];
  }
  const { merchantId, providerAppId } = await findMerchant(provider, wanted);
  if (!now || (now.merchantId === merchantId && now.appId === providerAppId)) return [];
  return [`App ${appId}: new orders by ${provider} will go to merchant ${merchantId}, and not to ${now.merchantId}.`];
}

/** For `app show`. */
export function sayMerchant({
  provider,
  merchantId,
  isOwn,
  isSet,
}: Awaited<ReturnType<typeof merchantsOfApp>>[number]): string {
  const state = isSet ? (isOwn ? 'own' : 'default') : 'removed: no orders';
  return `${provider} ${merchantId} (${translated(state)})`;
}

export const merchantVerb: Verb = {
  about: 'Names the merchant of an app: new orders go there. Existing orders keep theirs.',
  options: {
    app: required('ID', 'the AppID'),
    provider: required('P', 'the payment provider, such as wechatpay'),
    merchant: optional('M', "the merchant's number, or number/appid if it has several mini-programs"),
    none: flag('the default merchant again'),
  },
  destructive: whatMoves,
  run,
};
