import { LocalCache } from '../local-cache.ts';
import { errcodeOf, type WechatAnswer } from './api.ts';
import type { MiniProgram } from './mini-program.ts';

/** WeChat's errcodes for a wrong AppSecret (40001: only if the request has no access_token). They use up no code. */
const WRONG_SECRET = [40125, 40001];

/** The secret that WeChat accepted last, by mini-program: while a secret is exchanged, it is tried first. */
const accepted = new LocalCache<string>(200, 3_600_000);

/**
 * Runs `ask` with the secrets of the mini-program until WeChat accepts one. Returns WeChat's last answer; undefined: it
 * gave no clear one.
 */
export async function askWithSecrets(
  { wechatAppid, secrets }: MiniProgram,
  ask: (secret: string) => Promise<WechatAnswer | undefined>,
): Promise<WechatAnswer | undefined> {
  const last = accepted.get(wechatAppid);
  const inOrder = last !== undefined && secrets.includes(last) ? [last, ...secrets.filter((s) => s !== last)] : secrets;
  let answer: WechatAnswer | undefined;
  for (const secret of inOrder) {
    answer = await ask(secret);
    if (!answer) return undefined;
    if (WRONG_SECRET.includes(errcodeOf(answer))) continue;
    accepted.set(wechatAppid, secret);
    return answer;
  }
  return answer;
}
