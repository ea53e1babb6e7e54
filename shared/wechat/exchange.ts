import type { CacheRead } from '../admission/request.ts';
import type { ReadAnswer } from '../cache/cache.ts';
import { ignoreEngine } from '../cache/write.ts';
import { type Key, keyFamily } from '../keys.ts';
import { SealError, seal, unseal } from '../master-key.ts';
import { batch } from '../redis.ts';
import { useReservedTime } from '../telemetry.ts';
import { exchangeWechatCode, type WechatPerson } from './code-session.ts';
import type { MiniProgram } from './mini-program.ts';

/**
 * WeChat accepts a code once, so it cannot be returned. When a login fails after WeChat has answered, its answer is
 * kept for five minutes, sealed: the same code then works once more, and WeChat is not asked again.
 */
const exchangeKey = keyFamily<[string, string]>({
  area: 'session',
  name: 'wechat-exchange',
  version: 2,
  parts: ['id', 'text'],
  ttlSeconds: 300,
});

/** For admission: the answer that is kept for this code, if there is one. */
export const exchangeRead = (appId: string, code: string): CacheRead => ({
  key: exchangeKey(appId, code),
  kind: 'plain',
});

interface WechatCode {
  appId: string;
  code: string;
  program: MiniProgram;
  /** The same code may run `work` again, because the caller may not get the answer. Never for a login. */
  repeatable?: boolean;
}

/**
 * Runs `work` with the person of this code. Throws what `work` throws; what exchangeWechatCode() throws if WeChat gives
 * no openid.
 */
export async function withWechatPerson<T>(
  { appId, code, program, repeatable = false }: WechatCode,
  kept: ReadAnswer | undefined,
  work: (person: WechatPerson) => Promise<T>,
): Promise<T> {
  const key = exchangeKey(appId, code);
  const context = `wechat-exchange:${key}`;
  const known = personOf(kept, context);
  const person = known ?? (await exchangeWechatCode(program, code));
  try {
    const result = await work(person);
    if (repeatable && known === undefined) await keep(key, seal(JSON.stringify(person), context));
    if (!repeatable && known !== undefined) await forget(key);
    return result;
  } catch (error) {
    useReservedTime();
    if (known === undefined) await keep(key, seal(JSON.stringify(person), context));
    throw error;
  }
}

const keep = (key: Key, sealed: string): Promise<unknown> =>
  batch([['psetex', key, exchangeKey.family.ttlSeconds * 1000, sealed]]).catch(ignoreEngine);
const forget = (key: Key): Promise<unknown> => batch([['del', key]]).catch(ignoreEngine);

/** undefined: nothing is kept, or it cannot be opened. The stored text is `<remaining life in ms>;<value>`. */
function personOf(kept: ReadAnswer | undefined, context: string): WechatPerson | undefined {
  const sealed = kept?.stored.split(';')[1];
  if (!sealed) return undefined;
  try {
    return JSON.parse(unseal(sealed, context)) as WechatPerson;
  } catch (error) {
    if (error instanceof SealError) return undefined;
    throw error;
  }
}
