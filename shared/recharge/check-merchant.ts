import { randomBytes } from 'node:crypto';
import { AppError } from '../errors.ts';
import { accessTokenOf } from '../wechat/access-token.ts';
import { askWechat, errcodeOf } from '../wechat/api.ts';
import { findMiniProgram } from '../wechat/mini-program.ts';
import { type Merchant, openSettings } from './merchant.ts';
import { createWechatPay } from './wechatpay/client.ts';
import { WechatPayOutcomeUnknown, WechatPayRefused } from './wechatpay/error.ts';
import type { WechatPayConfig } from './wechatpay/input.ts';
import { sendToWechatPay } from './wechatpay/send.ts';
import { paySig } from './xpay/payment.ts';
import type { XpayMerchant } from './xpay/provider.ts';

/** What a provider said to a question that changes nothing. */
interface MerchantCheck {
  works: boolean;
  /** For a person: what was found, and what to correct next. */
  said: string;
}

const sound = (said: string): MerchantCheck => ({ works: true, said });
const fault = (said: string): MerchantCheck => ({ works: false, said });

/** Asks the provider about an order that cannot exist, with the settings as they are stored. */
export async function checkMerchant(merchant: Merchant): Promise<MerchantCheck> {
  let settings: unknown;
  try {
    settings = openSettings(merchant);
  } catch {
    return fault('The settings cannot be opened with MASTER_KEY and MASTER_KEY_OLD: set the merchant again.');
  }
  return merchant.provider === 'xpay'
    ? checkXpay(settings as XpayMerchant)
    : checkWechatpay(settings as WechatPayConfig);
}

/** Six random bytes: no order of ours has such a number. */
const unknownOrder = (): string => `CHECK${randomBytes(6).toString('hex').toUpperCase()}`;

async function checkWechatpay(settings: WechatPayConfig): Promise<MerchantCheck> {
  try {
    await createWechatPay(settings, sendToWechatPay).queryOrder(unknownOrder());
  } catch (error) {
    if (error instanceof WechatPayRefused) return refusedByWechatpay(error);
    if (error instanceof WechatPayOutcomeUnknown) return unclearFromWechatpay(error);
    return fault('The settings cannot be used: set the merchant again.');
  }
  return fault('WeChat Pay answered that an invented order exists: check baseUrl.');
}

function refusedByWechatpay({ code, status, signed }: WechatPayRefused): MerchantCheck {
  if (signed && code === 'ORDER_NOT_EXIST')
    return sound('WeChat Pay accepts our signature, and its answer verifies with the platform keys.');
  if (signed)
    return fault(
      `WeChat Pay accepts our signature and refuses the question (${code}, ${status}): check mchId, appId and the permissions of the merchant.`,
    );
  return fault(
    `WeChat Pay does not accept our signature (${code}, ${status}): check mchId, merchantSerial and merchantPrivateKeyPem.`,
  );
}

function unclearFromWechatpay({ code }: WechatPayOutcomeUnknown): MerchantCheck {
  if (code === 'BAD_SIGNATURE')
    return fault(
      'The answer of WeChat Pay does not verify: check platformKeys, the id and the PEM of each, and the clock of this machine.',
    );
  if (code === 'NETWORK') return fault('WeChat Pay cannot be reached: check baseUrl and the network.');
  return fault(`WeChat Pay gave no usable answer (${code}): try again, then check baseUrl.`);
}

const QUERY = '/xpay/query_order';
/** Refusals of virtual payment itself have numbers from here on: they come after the check of the signature. */
const FIRST_OF_XPAY = 268490000;
/** The signature with the appKey is wrong. */
const BAD_PAY_SIGNATURE = 268490003;

async function checkXpay({ appId, env, appKey }: XpayMerchant): Promise<MerchantCheck> {
  const program = await findMiniProgram(appId);
  if (!program) return fault(`Mini-program ${appId} has no secret here: give it one with "app wechat".`);
  const body = { openid: 'check', env, order_id: unknownOrder() };
  const signature = paySig(appKey, QUERY, JSON.stringify(body));
  try {
    const { token } = await accessTokenOf(program);
    const answer = await askWechat(QUERY, { access_token: token, pay_sig: signature }, { body, repeatable: true });
    const errcode = answer && errcodeOf(answer);
    if (errcode === undefined || errcode === -1) return fault('WeChat gave no usable answer: try again.');
    if (errcode === BAD_PAY_SIGNATURE)
      return fault(`WeChat does not accept our signature (${errcode}): check appKey, which belongs to env ${env}.`);
    if (errcode !== 0 && errcode < FIRST_OF_XPAY)
      return fault(`WeChat refuses the question (${errcode}): check the secret of mini-program ${appId}.`);
    return sound('WeChat accepts our signature, and knows the mini-program.');
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return fault(`Mini-program ${appId} gets no access_token: check its secret with "app wechat".`);
  }
}
