import { randomBytes } from 'node:crypto';
import { type WechatInterface, WechatRefusal } from './answers.ts';
import { openidOf, type Programs, unionidOf } from './programs.ts';
import { createSingleCodes } from './single-codes.ts';

/**
 * code2Session. Arguments, answer, errcodes and the example:
 * https://developers.weixin.qq.com/miniprogram/dev/server/API/user-login/api_code2session (read on 2026-11-28).
 * Each user may be asked for 100 times a minute:
 * https://developers.weixin.qq.com/minigame/dev/api-backend/open-api/login/auth.code2Session.html (read on 2026-11-28).
 * 40163 and 50002 are not in these tables; threads of WeChat's community show them.
 */
const CALLS_A_MINUTE_OF_A_USER = 100;

export interface WechatUser {
  /** Default: the first mini-program. */
  appid?: string;
  /** Any text. The same person has one unionid and, in each mini-program, one openid. */
  person?: string;
  /** In place of the one that belongs to `person`. */
  openid?: string;
  /** In place of the one that belongs to `person`. null: the answer has none. */
  unionid?: string | null;
}

interface Login {
  issueCode(user: WechatUser): string;
  code2Session: WechatInterface;
}

interface Identity {
  openid: string;
  unionid: string | null;
}

interface LoginOptions {
  programs: Programs;
  now: () => number;
  devCodes: boolean;
  log: (line: string) => void;
}

const UNKNOWN_CODE =
  'wechat simulator: a code is not one of its own. It takes dev-<name>-<number>, such as dev-alice-1: one person for each ' +
  'name, and each number once. For codes of the real developer tool set WECHAT_APPID and WECHAT_SECRET and start again.';

export function createLogin({ programs, now, devCodes, log }: LoginOptions): Login {
  const codes = createSingleCodes<Identity>(now, 40163, (appid, code) => {
    // The name identifies the person; the number makes another code of the same person.
    const name = devCodes ? /^dev-([a-z0-9]{1,32})-\d{1,9}$/.exec(code)?.[1] : undefined;
    return name === undefined ? undefined : { openid: openidOf(appid, name), unionid: unionidOf(name) };
  });
  let minute = { number: 0, calls: new Map<string, number>() };

  function countCall({ openid }: Identity) {
    const number = Math.floor(now() / 60_000);
    if (number !== minute.number) minute = { number, calls: new Map() };
    const calls = (minute.calls.get(openid) ?? 0) + 1;
    if (calls > CALLS_A_MINUTE_OF_A_USER) throw new WechatRefusal(45011);
    minute.calls.set(openid, calls);
  }

  return {
    issueCode({ appid = programs.first, ...user }) {
      const person = user.person ?? user.openid ?? randomBytes(16).toString('hex');
      const { openid = openidOf(appid, person), unionid = unionidOf(person) } = user;
      const code = `0${randomBytes(24).toString('base64url').slice(0, 31)}`;
      return codes.issue(appid, code, { openid, unionid });
    },
    code2Session({ query }) {
      if (query.get('grant_type') !== 'authorization_code') throw new WechatRefusal(40002);
      if (query.get('appid') && query.get('secret') && !query.get('js_code')) throw new WechatRefusal(41008);
      const appid = programs.prove(query.get('appid'), query.get('secret'));
      try {
        const { openid, unionid } = codes.exchange(appid, query.get('js_code') ?? '', countCall);
        const session = { session_key: randomBytes(16).toString('base64'), openid };
        return programs.isBound(appid) && unionid !== null ? { ...session, unionid } : session;
      } catch (error) {
        if (error instanceof WechatRefusal && error.errcode === 40029) log(UNKNOWN_CODE);
        throw error;
      }
    },
  };
}
