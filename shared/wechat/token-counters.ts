import { CLOCK } from '../clock.ts';
import { EngineError } from '../errors.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { countersKey, tokenKeys } from './token-keys.ts';

/** How often the access_token of a mini-program was refreshed today, and the budget of forced refreshes. */

/** WeChat's limits of forced refreshes. https://developers.weixin.qq.com/miniprogram/dev/server/API/mp-access-token/api_getstableaccesstoken.html */
const FORCED_A_DAY = 20;
const FORCED_EVERY_MS = 30_000;

/** Lua. What is counted in one day of Shanghai; the time of the last forced refresh stays. */
export const COUNTERS = lua`
local function counters_of_today(key, now)
  local day = string.format('%d', math.floor((now + 28800000) / 86400000))
  if redis.call('TYPE', key).ok ~= 'hash' then redis.call('DEL', key) end
  if redis.call('HGET', key, 'day') ~= day then
    redis.call('HSET', key, 'day', day, 'refreshes', 0, 'forced', 0)
  end
end
`;

export const COUNTER_MS = countersKey.family.ttlSeconds * 1_000;

const permitScript = new Script(lua`
${CLOCK}
${COUNTERS}
local aDay, everyMs, counterMs = tonumber(ARGV[1]), tonumber(ARGV[2]), ARGV[3]
local now = clock(KEYS[2])
counters_of_today(KEYS[3], now)
redis.call('PEXPIRE', KEYS[3], counterMs)
if tonumber(redis.call('HGET', KEYS[3], 'forced')) >= aDay then return 0 end
if now - tonumber(redis.call('HGET', KEYS[3], 'forcedAt') or 0) < everyMs then return 0 end
redis.call('HINCRBY', KEYS[3], 'forced', 1)
redis.call('HSET', KEYS[3], 'forcedAt', string.format('%d', now))
return 1
`);

/**
 * Takes one forced refresh from the budget. false: the last one is less than 30 s ago, the budget of the day is used up,
 * or Redis does not answer. It never throws because of an engine.
 */
export async function mayForce(wechatAppid: string): Promise<boolean> {
  const args = [FORCED_A_DAY, FORCED_EVERY_MS, COUNTER_MS];
  try {
    return (await evaluate<number>(permitScript, tokenKeys(wechatAppid), args)) === 1;
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return false;
  }
}
