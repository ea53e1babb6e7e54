import { AppError } from '../../errors.ts';
import { alarm, count } from '../../telemetry.ts';
import type { WechatAnswer } from '../../wechat/api.ts';
import { callWithToken } from '../../wechat/call.ts';
import { findMiniProgram } from '../../wechat/mini-program.ts';
import { providerUnavailable } from '../provider.ts';
import { paySig } from './payment.ts';

/** The merchant in whose name WeChat's server is called. */
export interface XpayCaller {
  appId: string;
  /** 0: real money, 1: WeChat's sandbox. */
  env: 0 | 1;
  /** Of this environment. */
  appKey: string;
}

/** The mini-program that holds the payments of this environment is called, and the signature covers the bytes sent. */
export async function callXpay(
  { appId, env, appKey }: XpayCaller,
  path: string,
  content: object,
): Promise<WechatAnswer> {
  const program = await findMiniProgram(appId);
  if (!program) {
    // An operator has to store the AppSecret: without it no order can be asked for.
    alarm('xpay-without-secret', { wechatAppid: appId });
    throw providerUnavailable();
  }
  const body = JSON.stringify({ ...content, env });
  const answer = await callWithToken(program, path, body, { pay_sig: paySig(appKey, path, body) }).catch(whenBusy);
  if (!answer) throw providerUnavailable();
  return answer;
}

/** Our callers know one error for a provider that does not answer now. */
function whenBusy(error: unknown): never {
  throw error instanceof AppError && error.code === 'WECHAT_BUSY' ? providerUnavailable() : error;
}

/** Errcodes of virtual payment: https://developers.weixin.qq.com/miniprogram/dev/server/API/VirtualPayment/ */
export const XPAY = {
  OK: 0,
  BUSY: -1,
  UNAUTHORIZED: 48001,
  WRONG_OPENID: 268490001,
  /** A value of the request, or no such data: only the text tells which. */
  WRONG_VALUE: 268490002,
  WRONG_SIGNATURE: 268490003,
  /** Done before. */
  REPEATED: 268490004,
  REFUNDED: 268490005,
  /** In a state without refunds. */
  REDEEMED: 268490013,
  /** A refund of the order is on its way. The same values may be sent again. */
  REFUND_RUNS: 268490014,
  TOO_OFTEN: 268490015,
  /** Somebody else made a refund meanwhile. */
  LEFT_FEE: 268490016,
} as const;

/** WeChat's text for an order or a refund that it does not know. */
export const isUnknown = ({ errcode, errmsg }: WechatAnswer): boolean =>
  errcode === XPAY.WRONG_VALUE && typeof errmsg === 'string' && errmsg.startsWith('数据不存在');

const PASSING: readonly unknown[] = [XPAY.BUSY, XPAY.TOO_OFTEN, 45009, 45011];

/** For an answer that is of no use: a person has to look at it, unless it passes. */
export function unusable(path: string, { errcode }: WechatAnswer): AppError {
  if (PASSING.includes(errcode)) count(`xpay.errcode${errcode}`);
  else alarm('xpay-refused', { path, errcode: Number(errcode ?? 0) });
  return providerUnavailable();
}
