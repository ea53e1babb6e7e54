import { CLOCK } from '../clock.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { COUNTER_MS, COUNTERS } from './token-counters.ts';
import { tokenKeys } from './token-keys.ts';

/** What operators may see of an access_token. */

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
  >(statusScript, tokenKeys(wechatAppid), [COUNTER_MS]);
  const isThere = leftMs > 0;
  return {
    endsAt: isThere ? new Date(Number(now) + leftMs).toISOString() : null,
    ageSeconds: isThere && refreshedAt ? Math.round((Number(now) - Number(refreshedAt)) / 1000) : null,
    refreshesToday,
    forcedToday,
  };
}
