import { invalidInput } from '../errors.ts';
import { outgoingUrl } from '../outgoing-address.ts';
import { makerOf, merchantProviders } from './merchant.ts';
import type { Provider } from './provider.ts';
import { WechatPayInputError } from './wechatpay/error.ts';
import { XpayInputError } from './xpay/payment.ts';

/** The provider with these settings. Throws INVALID_INPUT that names the unusable member. */
export function openChecked(provider: string, config: unknown): Provider {
  const make = makerOf(provider);
  if (!make) throw invalidInput({ path: 'provider', message: `expected one of ${merchantProviders().join(', ')}` });
  if (typeof config !== 'object' || config === null)
    throw invalidInput({ path: 'config', message: 'expected an object' });
  try {
    const opened = make(config);
    checkUrls(config);
    return opened;
  } catch (error) {
    if (error instanceof WechatPayInputError || error instanceof XpayInputError) {
      throw invalidInput({ path: error.path, message: 'is not acceptable' });
    }
    throw error;
  }
}

/** Calls with the merchant's signature go to baseUrl, and the provider is told notifyUrl. Throws INVALID_INPUT. */
function checkUrls(config: unknown): void {
  for (const member of ['baseUrl', 'notifyUrl']) {
    const url = (config as Record<string, unknown>)[member];
    if (typeof url !== 'string' || outgoingUrl(url)) continue;
    throw invalidInput({ path: member, message: 'expected an https URL of a public host' });
  }
}
