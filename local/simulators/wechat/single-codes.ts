import { WechatRefusal } from './answers.ts';

/** Codes of wx.login and of the phone button are both valid for five minutes. */
const CODE_LIFE_MS = 300_000;

/** Codes that are each valid once and belong to one mini-program. */
interface SingleCodes<T> {
  issue(appid: string, code: string, content: T): string;
  /**
   * The content of a code that `use` accepts. Throws WechatRefusal 40029: unknown, too old or of another mini-program;
   * `usedErrcode`: used before. A code that `use` refuses is not used up.
   */
  exchange(appid: string, code: string, use?: (content: T) => void): T;
}

/** `invented`: the content of a code that was not issued, such as dev-alice-1; undefined: there is none. */
export function createSingleCodes<T>(
  now: () => number,
  usedErrcode: number,
  invented: (appid: string, code: string) => T | undefined,
): SingleCodes<T> {
  const issued = new Map<string, { content: T; expiresAtMs: number; used: boolean }>();
  const nameOf = (appid: string, code: string) => `${appid}\n${code}`;

  return {
    issue(appid, code, content) {
      for (const [name, { expiresAtMs }] of issued) if (expiresAtMs <= now()) issued.delete(name);
      issued.set(nameOf(appid, code), { content, expiresAtMs: now() + CODE_LIFE_MS, used: false });
      return code;
    },
    exchange(appid, code, use) {
      const name = nameOf(appid, code);
      const content = invented(appid, code);
      const fresh = content && { content, expiresAtMs: Infinity, used: false };
      const ticket = issued.get(name) ?? fresh;
      if (ticket === undefined || ticket.expiresAtMs <= now()) throw new WechatRefusal(40029);
      if (ticket.used) throw new WechatRefusal(usedErrcode);
      use?.(ticket.content);
      issued.set(name, { ...ticket, used: true });
      return ticket.content;
    },
  };
}
