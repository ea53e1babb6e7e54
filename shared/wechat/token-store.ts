import { createHash } from 'node:crypto';
import { CLOCK } from '../clock.ts';
import { EngineError } from '../errors.ts';
import { keyFamily } from '../keys.ts';
import { SealError, seal, unseal } from '../master-key.ts';
import { deleteKeys, evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { count } from '../telemetry.ts';

/**
 * One access_token of WeChat for each mini-program, in Redis for all instances. It is sealed; what stands before it is
 * a hash, by which Redis can tell a token that WeChat refused from a newer one.
 */
export const TOKEN_LIFE_SECONDS = 7_200;
const tokenKey = keyFamily<[string]>({
  area: 'cache',
  name: 'wechat-token',
  version: 1,
  parts: ['id'],
  ttlSeconds: TOKEN_LIFE_SECONDS,
});
/** Holds the id of the one caller that asks WeChat, or PAUSE. */
const leaseKey = keyFamily<[string]>({
  area: 'cache',
  name: 'wechat-token-lease',
  version: 1,
  parts: ['id'],
  ttlSeconds: 5,
});
const countersKey = keyFamily<[string]>({
  area: 'cache',
  name: 'wechat-token-counters',
  version: 1,
  parts: ['id'],
  ttlSeconds: 172_800,
});

/** WeChat issues the next token this long before the end of a token; until then both are good. */
export const EARLY_MS = 300_000;
/** Longer than one request to WeChat may take. If its holder dies, another caller takes the lease after this time. */
export const LEASE_MS = leaseKey.family.ttlSeconds * 1_000;
/** After a refresh that brought no new token nobody asks WeChat for this long. */
const PAUSE_MS = 1_000;

/** WeChat's limits of forced refreshes. https://developers.weixin.qq.com/miniprogram/dev/server/API/mp-access-token/api_getstableaccesstoken.html */
const FORCED_A_DAY = 20;
const FORCED_EVERY_MS = 30_000;

export interface AccessToken {
  token: string;
  /** Unix milliseconds, by Redis' clock if Redis answers. */
  endsAt: number;
}

/** An access_token whose end is known by the clock of this process, too. Two clocks are never compared. */
export interface TimedToken extends AccessToken {
  endsAtHere: number;
}

/**
 * `good`: use the token. `lease`: this caller has to ask WeChat; the token, if any, is near its end. `wait`: another
 * caller asks. `pause`: another caller got no new token just now. `redis-down`: Redis did not answer.
 */
interface TokenLook {
  state: 'good' | 'lease' | 'wait' | 'pause' | 'redis-down';
  found?: TimedToken;
}

const lookScript = new Script(lua`
${CLOCK}
local leaseId, refused, earlyMs, leaseMs = ARGV[1], ARGV[2], tonumber(ARGV[3]), ARGV[4]
local stored, leftMs = redis.call('GET', KEYS[1]) or '', redis.call('PTTL', KEYS[1])
if refused ~= '' and string.sub(stored, 1, #refused) == refused then stored = '' end
local now = stored ~= '' and clock(KEYS[1]) or 0
local function answer(state) return {state, stored, leftMs, string.format('%d', now)} end
if stored ~= '' and leftMs > earlyMs then return answer('good') end
redis.call('SET', KEYS[2], leaseId, 'NX', 'PX', leaseMs)
local holder = redis.call('GET', KEYS[2])
if holder == leaseId then return answer('lease') end
if stored ~= '' then return answer('good') end
return answer(holder == 'pause' and 'pause' or 'wait')
`);

/**
 * Looks for the token, and takes the lease if somebody has to ask WeChat. `refused`: a token that WeChat refused; it
 * counts as absent. One request. It never throws because of an engine.
 */
export async function lookForToken(wechatAppid: string, leaseId: string, refused: string): Promise<TokenLook> {
  const startedAt = Date.now();
  try {
    const [state, stored, leftMs, now] = await evaluate<[TokenLook['state'], string, number, string]>(
      lookScript,
      [tokenKey(wechatAppid), leaseKey(wechatAppid)],
      [leaseId, refused && fingerprint(refused), EARLY_MS, LEASE_MS],
    );
    if (stored === '') return { state };
    const token = openToken(wechatAppid, stored);
    if (token !== undefined) {
      return { state, found: { token, endsAt: Number(now) + leftMs, endsAtHere: startedAt + leftMs } };
    }
    count('cache.corrupt');
    await deleteKeys([tokenKey(wechatAppid)]);
    return { state: state === 'lease' ? 'lease' : 'wait' };
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return { state: 'redis-down' };
  }
}

/** undefined: it was not sealed here, or under a master key that is gone. */
function openToken(wechatAppid: string, stored: string): string | undefined {
  try {
    return unseal(stored.slice(stored.indexOf(';') + 1), sealContext(wechatAppid));
  } catch (error) {
    if (error instanceof SealError) return undefined;
    throw error;
  }
}

const sealContext = (wechatAppid: string): string => `wechat-token:${wechatAppid}`;

/** With its end it cannot match the beginning of another text. The token itself has far too many bits to be guessed. */
const fingerprint = (token: string): string => `${createHash('sha256').update(token).digest('hex').slice(0, 32)};`;

/** Lua. What is counted in one day of Shanghai; the time of the last forced refresh stays. */
const COUNTERS = lua`
local function counters_of_today(key, now)
  local day = string.format('%d', math.floor((now + 28800000) / 86400000))
  if redis.call('TYPE', key).ok ~= 'hash' then redis.call('DEL', key) end
  if redis.call('HGET', key, 'day') ~= day then
    redis.call('HSET', key, 'day', day, 'refreshes', 0, 'forced', 0)
  end
end
`;

const settleScript = new Script(lua`
${CLOCK}
${COUNTERS}
local leaseId, stored, lifeMs, pauseMs, counterMs = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4]), ARGV[5]
if redis.call('GET', KEYS[2]) ~= leaseId then return '' end
if pauseMs > 0 then redis.call('SET', KEYS[2], 'pause', 'PX', pauseMs) else redis.call('DEL', KEYS[2]) end
if stored == '' then return '' end
redis.call('SET', KEYS[1], stored, 'PX', lifeMs)
local now = clock(KEYS[1])
counters_of_today(KEYS[3], now)
redis.call('HINCRBY', KEYS[3], 'refreshes', 1)
redis.call('HSET', KEYS[3], 'refreshedAt', string.format('%d', now))
redis.call('PEXPIRE', KEYS[3], counterMs)
return string.format('%d', now)
`);

const allKeys = (wechatAppid: string) => [tokenKey(wechatAppid), leaseKey(wechatAppid), countersKey(wechatAppid)];
const COUNTER_MS = countersKey.family.ttlSeconds * 1_000;

/**
 * Gives the lease back. `token` undefined: WeChat gave none. `isNew` false: it gave the old one again. It stores nothing
 * if the lease has ended: another caller may have stored a newer token. Returns Redis' time of the refresh in Unix
 * milliseconds; undefined: nothing was stored. It never throws because of an engine.
 */
export async function settleToken(
  wechatAppid: string,
  leaseId: string,
  token: string | undefined,
  { lifeMs, isNew }: { lifeMs: number; isNew: boolean },
): Promise<number | undefined> {
  const stored = token === undefined ? '' : fingerprint(token) + seal(token, sealContext(wechatAppid));
  const args = [leaseId, stored, lifeMs, isNew ? 0 : PAUSE_MS, COUNTER_MS];
  try {
    return Number(await evaluate<string>(settleScript, allKeys(wechatAppid), args)) || undefined;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return undefined;
  }
}

const permitScript = new Script(lua`
${CLOCK}
${COUNTERS}
local aDay, everyMs, counterMs = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local now = clock(KEYS[1])
counters_of_today(KEYS[2], now)
redis.call('PEXPIRE', KEYS[2], counterMs)
if tonumber(redis.call('HGET', KEYS[2], 'forced')) >= aDay then return 0 end
if now - tonumber(redis.call('HGET', KEYS[2], 'forcedAt') or 0) < everyMs then return 0 end
redis.call('HINCRBY', KEYS[2], 'forced', 1)
redis.call('HSET', KEYS[2], 'forcedAt', string.format('%d', now))
return 1
`);

/**
 * Takes one forced refresh from the budget. false: the last one is less than 30 s ago, the budget of the day is used up,
 * or Redis does not answer. It never throws because of an engine.
 */
export async function mayForce(wechatAppid: string): Promise<boolean> {
  const keys = [leaseKey(wechatAppid), countersKey(wechatAppid)];
  const args = [FORCED_A_DAY, FORCED_EVERY_MS, COUNTER_MS];
  try {
    return (await evaluate<number>(permitScript, keys, args)) === 1;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return false;
  }
}

const statusScript = new Script(lua`
${CLOCK}
${COUNTERS}
local leftMs = redis.call('PTTL', KEYS[1])
local now = clock(KEYS[2])
counters_of_today(KEYS[3], now)
redis.call('PEXPIRE', KEYS[3], ARGV[1])
local seen = redis.call('HMGET', KEYS[3], 'refreshedAt', 'refreshes', 'forced')
return {string.format('%d', now), leftMs, seen[1] or '', tonumber(seen[2]), tonumber(seen[3])}
`);

interface TokenStatus {
  /** RFC 3339; null: there is no token. */
  endsAt: string | null;
  ageSeconds: number | null;
  refreshesToday: number;
  forcedToday: number;
}

/** Never the token itself. Throws EngineError. */
export async function readTokenStatus(wechatAppid: string): Promise<TokenStatus> {
  const [now, leftMs, refreshedAt, refreshesToday, forcedToday] = await evaluate<
    [string, number, string, number, number]
  >(statusScript, allKeys(wechatAppid), [COUNTER_MS]);
  const isThere = leftMs > 0;
  return {
    endsAt: isThere ? new Date(Number(now) + leftMs).toISOString() : null,
    ageSeconds: isThere && refreshedAt ? Math.round((Number(now) - Number(refreshedAt)) / 1000) : null,
    refreshesToday,
    forcedToday,
  };
}
