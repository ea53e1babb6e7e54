import { type Key, keyFamily } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';

/**
 * Hot keys are found by measuring (row A10). One of 64 successful reads is counted, inside the admission request, so it
 * costs no request of its own. Scores decay with each run of cache-warm: keys that are no longer read leave the table.
 */
const SHARDS = 8;
export const HOT_SAMPLE = 64;
const KEPT_PER_SHARD = 500;
const DECAY = 0.8;
/** Keys with a lower score are removed. A key that was counted once has a lower score after three minutes. */
const FORGOTTEN_BELOW = 0.6;

const hotKey = keyFamily<[number]>({
  area: 'hot',
  name: 'reads',
  version: 1,
  parts: ['number'],
  ttlSeconds: 86_400,
});
const hotKeys = (): Key[] => Array.from({ length: SHARDS }, (_, shard) => hotKey(shard));
export const anyHotKey = (): Key => hotKey(Math.floor(Math.random() * SHARDS));

interface HotRecord {
  /** `<resource>:<id>` of a record, `<resource>?list=<name>&<filter>=<value>` of a list. */
  name: string;
  /** Estimated from the sample. */
  readsPerMinute: number;
}

/**
 * KEYS: the shards. ARGV: factor, lowest score to keep, number of keys to keep, life ms. Answer: members and scores.
 */
const decayScript = new Script(lua`
local answer = {}
for i, key in ipairs(KEYS) do
  answer[i] = {}
  if redis.call('EXISTS', key) == 1 then
    redis.call('ZUNIONSTORE', key, 1, key, 'WEIGHTS', ARGV[1])
    redis.call('ZREMRANGEBYSCORE', key, '-inf', '(' .. ARGV[2])
    redis.call('ZREMRANGEBYRANK', key, 0, -1 - tonumber(ARGV[3]))
    redis.call('PEXPIRE', key, ARGV[4])
    answer[i] = redis.call('ZREVRANGE', key, 0, tonumber(ARGV[3]) - 1, 'WITHSCORES')
  end
end
return answer
`);

/** KEYS: the shards. ARGV: number of keys to read of each. Answer: members and scores. */
const readScript = new Script(lua`
local answer = {}
for i, key in ipairs(KEYS) do answer[i] = redis.call('ZREVRANGE', key, 0, tonumber(ARGV[1]) - 1, 'WITHSCORES') end
return answer
`);

/** Lets the scores decay; called once a minute. Returns the hottest records first. One request. Throws EngineError. */
export async function decayHotKeys(limit: number): Promise<HotRecord[]> {
  const args = [DECAY, FORGOTTEN_BELOW, KEPT_PER_SHARD, hotKey.family.ttlSeconds * 1000];
  return hottest(await evaluate<string[][]>(decayScript, hotKeys(), args), limit);
}

/** Reads the table without changing it. Returns the hottest records first. One request. Throws EngineError. */
export async function readHotKeys(limit: number): Promise<HotRecord[]> {
  return hottest(await evaluate<string[][]>(readScript, hotKeys(), [KEPT_PER_SHARD]), limit);
}

function hottest(shards: string[][], limit: number): HotRecord[] {
  const scores = new Map<string, number>();
  for (const shard of shards) {
    for (let i = 0; i + 1 < shard.length; i += 2) {
      const name = shard[i] as string;
      scores.set(name, (scores.get(name) ?? 0) + Number(shard[i + 1]));
    }
  }
  // A key that is read r times a minute reaches the score r / 64 / (1 - decay).
  return [...scores]
    .map(([name, score]) => ({ name, readsPerMinute: Math.round(score * HOT_SAMPLE * (1 - DECAY)) }))
    .sort((a, b) => b.readsPerMinute - a.readsPerMinute || (a.name < b.name ? -1 : 1))
    .slice(0, limit);
}
