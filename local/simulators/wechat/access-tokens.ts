import { randomBytes } from 'node:crypto';
import { bodyOf, type WechatInterface, WechatRefusal } from './answers.ts';
import type { Programs } from './programs.ts';

/**
 * getStableAccessToken. Both modes and all limits:
 * https://developers.weixin.qq.com/miniprogram/dev/OpenApiDoc/mp-access-token/getStableAccessToken.html and
 * https://developers.weixin.qq.com/doc/service/api/base/api_getstableaccesstoken (read on 2026-11-28). The pages do not
 * name the errcode of the 21st forced refresh; the simulator answers the one of a daily quota.
 */
export const TOKEN_LIMITS = {
  lifeMs: 7_200_000,
  /** In normal mode a token is replaced this long before its end. The old one stays valid for this time. */
  overlapMs: 300_000,
  forcedADay: 20,
  /** A forced refresh within this time of the last one changes nothing and answers the current token. */
  betweenForcedMs: 30_000,
  callsAMinute: 10_000,
  callsADay: 500_000,
  /** WeChat: "The space for an access_token must have at least 512 characters". The simulator's tokens have 512. */
  characters: 512,
} as const;

export interface AccessTokens {
  stableToken: WechatInterface;
  /** The AppID that the token of a call belongs to. Throws WechatRefusal 41001, 40001 or 42001. */
  appidOf(query: URLSearchParams): string;
  /** All tokens of a mini-program are invalid at once, as after a forced refresh that somebody else made. */
  end(appid: string): void;
  /** How often a token was replaced by force since midnight in Beijing. */
  forcedRefreshes(appid: string): number;
}

interface Account {
  current?: { token: string; endsAtMs: number };
  forcedAtMs: number;
  minute: Counter;
  day: Counter;
  forced: Counter;
}

/** Counts within one period, such as one minute. */
class Counter {
  #period = -1;
  #count = 0;
  constructor(readonly periodOf: (ms: number) => number) {}
  add(ms: number): number {
    this.#count = this.read(ms) + 1;
    this.#period = this.periodOf(ms);
    return this.#count;
  }
  read(ms: number): number {
    return this.periodOf(ms) === this.#period ? this.#count : 0;
  }
}

const minuteOf = (ms: number): number => Math.floor(ms / 60_000);
/** WeChat's quotas begin again at midnight in Beijing. */
const dayOf = (ms: number): number => Math.floor((ms + 8 * 3_600_000) / 86_400_000);

export function createAccessTokens(programs: Programs, now: () => number): AccessTokens {
  /** Until when each token is good. 0: it was ended early. */
  const tokens = new Map<string, { appid: string; goodUntilMs: number }>();
  const accounts = new Map<string, Account>();

  function accountOf(appid: string): Account {
    const known = accounts.get(appid);
    if (known) return known;
    const counters = { minute: new Counter(minuteOf), day: new Counter(dayOf), forced: new Counter(dayOf) };
    const account: Account = { forcedAtMs: -Infinity, ...counters };
    accounts.set(appid, account);
    return account;
  }

  function end(appid: string) {
    for (const token of tokens.values()) if (token.appid === appid) token.goodUntilMs = 0;
    delete accountOf(appid).current;
  }

  function renew(appid: string, account: Account) {
    const former = account.current && tokens.get(account.current.token);
    if (former && former.goodUntilMs > now()) former.goodUntilMs = now() + TOKEN_LIMITS.overlapMs;
    const token = randomBytes(TOKEN_LIMITS.characters).toString('base64url').slice(0, TOKEN_LIMITS.characters);
    account.current = { token, endsAtMs: now() + TOKEN_LIMITS.lifeMs };
    tokens.set(token, { appid, goodUntilMs: account.current.endsAtMs });
    return account.current;
  }

  function force(appid: string, account: Account) {
    if (account.current && now() - account.forcedAtMs < TOKEN_LIMITS.betweenForcedMs) return account.current;
    if (account.forced.read(now()) >= TOKEN_LIMITS.forcedADay) throw new WechatRefusal(45009);
    account.forced.add(now());
    account.forcedAtMs = now();
    end(appid);
    return renew(appid, account);
  }

  return {
    stableToken({ body }) {
      const { grant_type, appid: named, secret, force_refresh = false } = bodyOf(body);
      if (grant_type !== 'client_credential') throw new WechatRefusal(40002);
      const appid = programs.prove(named, secret);
      const account = accountOf(appid);
      if (account.day.add(now()) > TOKEN_LIMITS.callsADay) throw new WechatRefusal(45009);
      if (account.minute.add(now()) > TOKEN_LIMITS.callsAMinute) throw new WechatRefusal(45011);
      const isFresh = (account.current?.endsAtMs ?? 0) - now() > TOKEN_LIMITS.overlapMs;
      const kept = isFresh ? account.current : undefined;
      const { token, endsAtMs } = force_refresh === true ? force(appid, account) : (kept ?? renew(appid, account));
      return { access_token: token, expires_in: Math.floor((endsAtMs - now()) / 1000) };
    },
    appidOf(query) {
      const text = query.get('access_token');
      if (!text) throw new WechatRefusal(41001);
      const token = tokens.get(text);
      if (!token || token.goodUntilMs === 0) throw new WechatRefusal(40001);
      if (token.goodUntilMs <= now()) throw new WechatRefusal(42001);
      return token.appid;
    },
    end,
    forcedRefreshes: (appid) => accountOf(appid).forced.read(now()),
  };
}
