import type { RefusedRefund } from '../provider.ts';
import { XPAY } from './call.ts';

/**
 * How WeChat refuses a refund of virtual payment:
 * https://developers.weixin.qq.com/miniprogram/dev/server/API/VirtualPayment/api_refund_order (read on 2026-11-28). Final
 * are the refusals about this payment or this payer. All others are about our settings, about the load, or about another
 * refund of the same order. A code that is not listed is not final: an operator can cancel the refund.
 */
const REFUSALS: Readonly<Record<number, Omit<RefusedRefund, 'state'>>> = {
  [XPAY.WRONG_OPENID]: { code: 'bad-values', final: true },
  // A value that WeChat does not accept. The same number always has the same values.
  [XPAY.WRONG_VALUE]: { code: 'bad-values', final: true },
  [XPAY.REFUNDED]: { code: 'trade-state', final: true },
  [XPAY.REDEEMED]: { code: 'trade-state', final: true },
  [XPAY.TOO_OFTEN]: { code: 'too-many-calls', final: false },
  [XPAY.WRONG_SIGNATURE]: { code: 'settings', final: false },
  [XPAY.UNAUTHORIZED]: { code: 'settings', final: false },
};

export const refusalOfRefund = (errcode: number): RefusedRefund => ({
  state: 'refused',
  ...(REFUSALS[errcode] ?? { code: 'other', final: false }),
});
