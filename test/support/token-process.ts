import { AppError } from '../../shared/errors.ts';
import { accessTokenOf } from '../../shared/wechat/access-token.ts';
import { callWithToken } from '../../shared/wechat/call.ts';
import { workTogether } from './process-work.ts';

/** One of several processes that use the access_token of one mini-program: CALLS times at once, by a clock off by SKEW_MS. */
const { TOKEN_APPID = '', TOKEN_SECRET = '', CALL_PATH, CALLS = '1', SKEW_MS = '0' } = process.env;
const rightNow = Date.now;
Date.now = () => rightNow() + Number(SKEW_MS);

export interface TokenUse {
  token?: string;
  endsAt?: number;
  /** Of WeChat's answer to CALL_PATH. */
  errcode?: unknown;
  /** The error code that the caller sees. */
  error?: string;
}

const program = { wechatAppid: TOKEN_APPID, secrets: [TOKEN_SECRET] };

async function use(): Promise<TokenUse> {
  try {
    if (CALL_PATH !== undefined)
      return { errcode: (await callWithToken(program, CALL_PATH, { appid: TOKEN_APPID }))?.errcode };
    return await accessTokenOf(program);
  } catch (error) {
    return { error: error instanceof AppError ? error.code : String(error) };
  }
}

await workTogether(() => Promise.all(Array.from({ length: Number(CALLS) }, use)));
