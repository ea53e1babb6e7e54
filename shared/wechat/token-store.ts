import { createHash } from 'node:crypto';
import { CLOCK } from '../clock.ts';
import { EngineError } from '../errors.ts';
import { SealError, seal, unseal } from '../master-key.ts';
import { deleteKeys, evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { count } from '../telemetry.ts';
import { COUNTER_MS, COUNTERS } from './token-counters.ts';
import { LEASE_MS, leaseKey, tokenKey, tokenKeys } from './token-keys.ts';

/**
 * One access_token of WeChat for each mini-program, in Redis for all instances. It is sealed; what stands before it is
 * a hash, by which Redis can tell a token that WeChat refused from a newer one.
 */

/** WeChat gives the next token this long before the end of a token. Until that end both are valid. */
export const EARLY_MS = 300_000;
/** If a refresh gave no new token, nobody asks WeChat for this long. */
const PAUSE_MS = 1_000;

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

/** The `;` at its end: it must not match the beginning of another text. A token has too many bits to be guessed. */
const fingerprint = (token: string): string => `${createHash('sha256').update(token).digest('hex').slice(0, 32)};`;

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
    return Number(await evaluate<string>(settleScript, tokenKeys(wechatAppid), args)) || undefined;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return undefined;
  }
}
