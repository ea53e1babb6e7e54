import type { RefusedRefund } from '../provider.ts';
import type { RefusalCode } from './error.ts';

/**
 * How WeChat refuses a refund (`/v3/refund/domestic/refunds`). Only signed refusals are looked up here: an answer without
 * a signature proves nothing. Final are the refusals about this payment or this payer, which are the same tomorrow. All
 * others are about the merchant, about our settings, or about the load. A code that is not listed is not final: nobody
 * knows whether it lasts, and an operator can cancel the refund.
 */
const REFUSALS: Partial<Record<RefusalCode, Omit<RefusedRefund, 'state'>>> = {
  // Against a rule of the payment: more than is left of it, paid more than a year ago, 50 refunds already.
  INVALID_REQUEST: { code: 'not-allowed', final: true },
  // A value that WeChat does not accept. The same number always has the same values.
  PARAM_ERROR: { code: 'bad-values', final: true },
  // WeChat has no such payment.
  RESOURCE_NOT_EXISTS: { code: 'order-unknown', final: true },
  ORDER_NOT_EXIST: { code: 'order-unknown', final: true },
  // The account of the payer is closed or frozen.
  USER_ACCOUNT_ABNORMAL: { code: 'payer-account', final: true },
  // The payment is in a state without refunds.
  TRADE_ERROR: { code: 'trade-state', final: true },
  // A limit of WeChat for refunds of this payment.
  RULE_LIMIT: { code: 'rule-limit', final: true },
  // The merchant has to put money into its account. Then the same refund succeeds.
  NOT_ENOUGH: { code: 'merchant-balance', final: false },
  RATELIMIT: { code: 'too-many-calls', final: false },
  // The merchant's settings here, or its contract with WeChat. A person corrects them.
  SIGN_ERROR: { code: 'settings', final: false },
  NO_AUTH: { code: 'settings', final: false },
  MCH_NOT_EXISTS: { code: 'settings', final: false },
  APPID_MCHID_NOT_MATCH: { code: 'settings', final: false },
};

export const refusalOfRefund = (code: RefusalCode): RefusedRefund => ({
  state: 'refused',
  ...(REFUSALS[code] ?? { code: 'other', final: false }),
});
