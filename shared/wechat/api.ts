import { textOr } from '../config.ts';
import { AppError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { send, TransportError } from '../transport.ts';

/** Requests to WeChat's server. As long as WeChat has not answered clearly, nothing is charged to the caller. */
const apiUrl = textOr('WECHAT_API_URL', 'https://api.weixin.qq.com');

const TIMEOUT_MS = 3_000;

/** An answer of WeChat: refusals have status 200 and an `errcode` other than 0. */
export type WechatAnswer = Readonly<Record<string, unknown>>;

/**
 * One request. undefined: WeChat did not answer in time, or not with JSON. `body`: a text is sent unchanged. `repeatable`:
 * it is sent once more if a kept socket is dead.
 */
export async function askWechat(
  path: string,
  query: Readonly<Record<string, string>>,
  { body, repeatable }: { body?: object | string; repeatable: boolean },
): Promise<WechatAnswer | undefined> {
  const url = new URL(path, apiUrl());
  url.search = new URLSearchParams(query).toString();
  try {
    const { status, body: text } = await send({
      url,
      method: body === undefined ? 'GET' : 'POST',
      headers: body === undefined ? {} : { 'content-type': 'application/json' },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
      timeoutMs: TIMEOUT_MS,
      repeatable,
      maxAnswerBytes: 16_384,
    });
    const answer: unknown = status === 200 ? JSON.parse(text.toString('utf8')) : undefined;
    if (typeof answer === 'object' && answer !== null) return answer as WechatAnswer;
  } catch (error) {
    if (!(error instanceof TransportError || error instanceof SyntaxError)) throw error;
  }
  count('wechat.no-answer');
  return undefined;
}

export const errcodeOf = (answer: WechatAnswer): number => Number(answer.errcode ?? 0);

/** WeChat gave no clear answer. */
export const wechatUnavailable = (): AppError => new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });

/** The error of ours for an errcode that is no fault of the caller. */
export function wechatRefusal(errcode: number): AppError {
  switch (errcode) {
    case 45009: // the quota of the day is used up
      alarm('wechat.quota');
      return wechatBusy(errcode);
    case -1: // busy
    case 45011: // too many calls a minute
      return wechatBusy(errcode);
    default:
      // Wrong appid, wrong secret, or a new error code: the operator has to look at it.
      alarm('wechat.refused', { errcode });
      return wechatUnavailable();
  }
}

export function wechatBusy(errcode: number): AppError {
  count(`wechat.errcode${errcode}`);
  return new AppError('WECHAT_BUSY', undefined, { retryAfterSeconds: 2 });
}
