import { AppError, EngineError } from '../errors.ts';
import { alarm, count } from '../telemetry.ts';
import { accessTokenOf, replaceToken } from './access-token.ts';
import { askWechat, errcodeOf, type WechatAnswer } from './api.ts';
import type { MiniProgram } from './mini-program.ts';

/** The access_token is wrong (40001, 40014) or has ended (42001). WeChat has done nothing. */
const TOKEN_REFUSED = [40001, 40014, 42001];
const QUOTA_USED_UP = 45009;

/**
 * POSTs `body` to WeChat's server in the name of the mini-program. A call whose access_token is refused is repeated
 * once with another one. undefined: WeChat gave no clear answer, so the call may have been applied. Throws what
 * accessTokenOf() throws. `signature`: further members of the query.
 */
export async function callWithToken(
  program: MiniProgram,
  path: string,
  body: object | string,
  signature: Readonly<Record<string, string>> = {},
): Promise<WechatAnswer | undefined> {
  const post = (token: string) => askWechat(path, { access_token: token, ...signature }, { body, repeatable: false });
  const { token } = await accessTokenOf(program);
  let answer = await post(token);
  if (isRefused(answer)) {
    const other = await otherToken(program, token);
    if (other !== undefined) answer = await post(other);
    if (isRefused(answer)) alarm('wechat.token-refused', { path });
  }
  if (answer && errcodeOf(answer) === QUOTA_USED_UP) alarm('wechat.quota', { path });
  return answer;
}

const isRefused = (answer: WechatAnswer | undefined): boolean =>
  answer !== undefined && TOKEN_REFUSED.includes(errcodeOf(answer));

/** undefined: there is no other token now. The refusal is then WeChat's answer to the call. */
async function otherToken(program: MiniProgram, refused: string): Promise<string | undefined> {
  count('wechat.token-died');
  try {
    return (await replaceToken(program, refused))?.token;
  } catch (error) {
    if (error instanceof AppError || error instanceof EngineError) return undefined;
    throw error;
  }
}
