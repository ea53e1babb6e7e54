import { randomUUID } from 'node:crypto';
import { withLoadCap } from '../cache/cache.ts';
import { oncePerInvocation } from '../cache/single-flight.ts';
import { AppError } from '../errors.ts';
import { LocalCache } from '../local-cache.ts';
import { alarm, count, remainingMs } from '../telemetry.ts';
import { askWechat, errcodeOf, wechatRefusal, wechatUnavailable } from './api.ts';
import type { MiniProgram } from './mini-program.ts';
import { askWithSecrets } from './secrets.ts';
import { mayForce } from './token-counters.ts';
import { LEASE_MS, TOKEN_LIFE_SECONDS } from './token-keys.ts';
import { type AccessToken, EARLY_MS, lookForToken, settleToken, type TimedToken } from './token-store.ts';

/**
 * The access_token with which WeChat's server is called. If each instance fetched a token of its own, each would end the
 * token of another. So one caller of all instances fetches it. The others wait for it, or use the old one, which is
 * valid for five minutes more. WeChat's normal mode returns the same token until it is near its end, so an unneeded
 * fetch does no harm.
 */
const held = new LocalCache<TimedToken>(200, 7_200_000);

/** At most 512 characters, by WeChat's page. */
const TOKEN = /^[\x21-\x7e]{1,512}$/;

/**
 * Costs no request in a warm process until 300 s before the token's end, else one to Redis and, for one caller, one to
 * WeChat. Throws WECHAT_BUSY, UNAVAILABLE; EngineError if too many callers of this process fetch without Redis.
 */
export async function accessTokenOf(program: MiniProgram): Promise<AccessToken> {
  const known = held.get(program.wechatAppid);
  if (known && known.endsAtHere - Date.now() > EARLY_MS) return known;
  return latestToken(program);
}

const latestToken = (program: MiniProgram): Promise<AccessToken> =>
  oncePerInvocation(`wechat-token ${program.wechatAppid}`, () => obtain(program, ''));

/** Kept for 30 s only: another instance may replace the token meanwhile. */
const handedOut = new LocalCache<AccessToken>(200, 30_000);

/**
 * For a server outside this deployment. It cannot call replaceToken() when WeChat refuses the token. So the token was in
 * use at most 30 s ago: Redis is asked that often. Throws what accessTokenOf() throws.
 */
export async function tokenToHandOut(program: MiniProgram): Promise<AccessToken> {
  const known = handedOut.get(program.wechatAppid);
  if (known) return known;
  const token = await latestToken(program);
  handedOut.set(program.wechatAppid, token);
  return token;
}

/**
 * For a token that WeChat refused: the newer one in Redis, or the one that WeChat now returns. If that is still
 * `refused`, it is replaced by force. undefined: that is not allowed now. Throws what accessTokenOf() throws.
 */
export async function replaceToken(program: MiniProgram, refused: string): Promise<AccessToken | undefined> {
  if (held.get(program.wechatAppid)?.token === refused) held.delete(program.wechatAppid);
  const name = `wechat-token ${program.wechatAppid} ${refused}`;
  const found = await oncePerInvocation(name, () => obtain(program, refused));
  return found.token === refused ? undefined : found;
}

/**
 * For operators: replaces the token that is in use now. false: WeChat, or the budget of forced refreshes, does not allow
 * it now. Throws what accessTokenOf() throws.
 */
export async function renewToken(program: MiniProgram): Promise<boolean> {
  const { token } = await accessTokenOf(program);
  return (await replaceToken(program, token)) !== undefined;
}

/** A waiter outlives the lease of a holder that died, and then takes it. */
const LONGEST_WAIT_MS = LEASE_MS + 1_000;

async function obtain(program: MiniProgram, refused: string): Promise<AccessToken> {
  const { wechatAppid } = program;
  const leaseId = randomUUID();
  const waitsUntil = Date.now() + remainingMs(LONGEST_WAIT_MS);
  for (let pauseMs = 50; ; pauseMs = Math.min(2 * pauseMs, 400)) {
    const { state, found } = await lookForToken(wechatAppid, leaseId, refused);
    if (state === 'good' && found) return keep(wechatAppid, found);
    if (state === 'lease') return refresh(program, { leaseId, refused, old: found ?? held.get(wechatAppid) });
    if (state === 'redis-down') {
      const known = held.get(wechatAppid);
      return known ?? (await withLoadCap(() => refresh(program, { leaseId, refused, old: undefined })));
    }
    if (state === 'pause' || Date.now() + pauseMs > waitsUntil) throw wechatUnavailable();
    await new Promise((resolve) => setTimeout(resolve, pauseMs * (0.7 + 0.3 * Math.random())));
  }
}

function keep(wechatAppid: string, token: TimedToken): AccessToken {
  const now = Date.now();
  held.set(wechatAppid, token, now, token.endsAtHere - now);
  return token;
}

interface Refresh {
  leaseId: string;
  refused: string;
  /** It is used if WeChat gives no other. */
  old: TimedToken | undefined;
}

/** Asks WeChat, as the one caller that does, and stores the token for all others. */
async function refresh(program: MiniProgram, { leaseId, refused, old }: Refresh): Promise<AccessToken> {
  const { wechatAppid } = program;
  try {
    const token = await fetchOther(program, refused);
    const lifeMs = token.endsAtHere - Date.now();
    const isNew = token.token !== refused && lifeMs > EARLY_MS;
    const storedAt = await settleToken(wechatAppid, leaseId, token.token, { lifeMs, isNew });
    return keep(wechatAppid, storedAt === undefined ? token : { ...token, endsAt: storedAt + lifeMs });
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    count('wechat.token-failed');
    await settleToken(wechatAppid, leaseId, undefined, { lifeMs: 0, isNew: false });
    if (old) return old;
    throw error;
  }
}

/** Normal mode first: another deployment with this mini-program may have replaced `refused`. */
async function fetchOther(program: MiniProgram, refused: string): Promise<TimedToken> {
  const normal = await fetchToken(program, false);
  if (normal.token !== refused || !(await mayForce(program.wechatAppid))) return normal;
  try {
    return await fetchToken(program, true);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    count('wechat.token-failed');
    return normal;
  }
}

/** `force`: WeChat ends the token and issues another. WeChat allows that 20 times a day, at least 30 s apart. */
async function fetchToken(program: MiniProgram, force: boolean): Promise<TimedToken> {
  const startedAt = Date.now();
  const answer = await askWithSecrets(program, (secret) => {
    const body = { grant_type: 'client_credential', appid: program.wechatAppid, secret, force_refresh: force };
    return askWechat('/cgi-bin/stable_token', {}, { body, repeatable: !force });
  });
  if (!answer) throw wechatUnavailable();
  if (errcodeOf(answer) !== 0) throw wechatRefusal(errcodeOf(answer));
  const { access_token: token, expires_in: life } = answer;
  if (typeof token === 'string' && TOKEN.test(token) && typeof life === 'number' && life >= 1) {
    count(force ? 'wechat.token-forced' : 'wechat.token-refreshed');
    const endsAt = startedAt + Math.min(Math.floor(life), TOKEN_LIFE_SECONDS) * 1_000;
    return { token, endsAt, endsAtHere: endsAt };
  }
  alarm('wechat.no-token');
  throw wechatUnavailable();
}
