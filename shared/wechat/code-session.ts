import { AppError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { askWechat, errcodeOf, wechatRefusal, wechatUnavailable } from './api.ts';
import type { MiniProgram } from './mini-program.ts';
import { askWithSecrets } from './secrets.ts';

/** WeChat's code2Session: exchanges the code of wx.login for the person that it stands for. */
export interface WechatPerson {
  /** The mini-program that the openid belongs to. */
  wechatAppid: string;
  openid: string;
  /** The same person in all mini-programs of one owner; null: the mini-program is bound to no open-platform account. */
  unionid: string | null;
}

const SUBJECT = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * The session_key of the answer is dropped: a login does not need it, and a value that is not kept cannot leak. Throws
 * BAD_CREDENTIALS, WECHAT_USER_BLOCKED, WECHAT_USER_LIMITED, WECHAT_BUSY, UNAVAILABLE.
 */
export const exchangeWechatCode = async (program: MiniProgram, code: string): Promise<WechatPerson> =>
  (await fetchWechatSession(program, code)).person;

/**
 * Also returns the session_key, which signs virtual payments. Use it at once and never store it. Throws what
 * exchangeWechatCode() throws.
 */
export async function fetchWechatSession(
  program: MiniProgram,
  code: string,
): Promise<{ person: WechatPerson; sessionKey: string }> {
  const answer = await askWithSecrets(program, (secret) => {
    const query = { appid: program.wechatAppid, secret, js_code: code, grant_type: 'authorization_code' };
    // Sent only once: a code is valid once, so a repeated request would be refused.
    return askWechat('/sns/jscode2session', query, { repeatable: false });
  });
  if (!answer) throw wechatUnavailable();
  const errcode = errcodeOf(answer);
  if (errcode !== 0) throw refusal(errcode);
  const { openid, session_key: sessionKey = '', unionid = null } = answer;
  const isComplete = isSubject(openid) && typeof sessionKey === 'string' && (unionid === null || isSubject(unionid));
  if (isComplete) return { person: { wechatAppid: program.wechatAppid, openid, unionid }, sessionKey };
  alarm('wechat.no-openid');
  throw wechatUnavailable();
}

const isSubject = (value: unknown): value is string => typeof value === 'string' && SUBJECT.test(value);

function refusal(errcode: number): AppError {
  switch (errcode) {
    case 40029: // no such code, or too old
    case 40163: // used before
      return new AppError('BAD_CREDENTIALS');
    // The state of a user is no fault of ours or of the operator: counted, but no alarm.
    case 40226: // WeChat blocked this user as a risk
      count('wechat.user-blocked');
      return new AppError('WECHAT_USER_BLOCKED');
    case 50002: // WeChat limited this user
      count('wechat.user-limited');
      return new AppError('WECHAT_USER_LIMITED');
    default:
      return wechatRefusal(errcode);
  }
}
