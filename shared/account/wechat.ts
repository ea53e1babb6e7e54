import { optionalText, textOr } from '../config.ts';
import { AppError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { send, TransportError } from '../transport.ts';

/** WeChat's code2Session: exchanges the code of wx.login for the user's openid. */
const apiUrl = textOr('WECHAT_API_URL', 'https://api.weixin.qq.com');
const appid = optionalText('WECHAT_APPID');
const secret = optionalText('WECHAT_SECRET');

const TIMEOUT_MS = 3_000;
const OPENID = /^[A-Za-z0-9_-]{1,64}$/;

/**
 * Returns the openid. The session_key of the answer is dropped: a login does not need it, and a value that is not kept
 * cannot leak. Throws BAD_CREDENTIALS, WECHAT_USER_BLOCKED, WECHAT_USER_LIMITED, WECHAT_BUSY, UNAVAILABLE.
 */
export const exchangeWechatCode = async (code: string): Promise<string> => (await fetchWechatSession(code)).openid;

/**
 * Returns the openid and the session_key, which signs virtual payments. Use the session_key at once and never store it.
 * Throws what exchangeWechatCode() throws.
 */
export async function fetchWechatSession(code: string): Promise<{ openid: string; sessionKey: string }> {
  const answer = await askWechat(code);
  const errcode = answer.errcode ?? 0;
  if (errcode !== 0) throw refusal(Number(errcode));
  const { openid, session_key: sessionKey = '' } = answer;
  if (typeof openid === 'string' && OPENID.test(openid) && typeof sessionKey === 'string')
    return { openid, sessionKey };
  alarm('wechat.no-openid');
  throw unavailable();
}

/** Sent only once: a code is valid once, so a repeated request would be refused. */
async function askWechat(code: string): Promise<Record<string, unknown>> {
  const [id, key] = [appid(), secret()];
  if (!id || !key) throw new AppError('UNAVAILABLE', 'WeChat login is not set up here.', { retryAfterSeconds: 3_600 });
  const url = new URL('/sns/jscode2session', apiUrl());
  url.search = new URLSearchParams({
    appid: id,
    secret: key,
    js_code: code,
    grant_type: 'authorization_code',
  }).toString();
  try {
    const { status, body } = await send({
      url,
      method: 'GET',
      headers: {},
      timeoutMs: TIMEOUT_MS,
      repeatable: false,
      maxAnswerBytes: 16_384,
    });
    const answer: unknown = status === 200 ? JSON.parse(body.toString('utf8')) : undefined;
    if (typeof answer === 'object' && answer !== null) return answer as Record<string, unknown>;
    count('wechat.no-answer');
  } catch (error) {
    if (!(error instanceof TransportError || error instanceof SyntaxError)) throw error;
    count('wechat.no-answer');
  }
  throw unavailable();
}

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
    case -1: // busy
    case 45011: // too many calls a minute
      count(`wechat.errcode${errcode}`);
      return new AppError('WECHAT_BUSY', undefined, { retryAfterSeconds: 2 });
    default:
      // Wrong appid, wrong secret, or a new error code: the operator has to look at it.
      alarm('wechat.refused', { errcode });
      return unavailable();
  }
}

const unavailable = (): AppError => new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });
