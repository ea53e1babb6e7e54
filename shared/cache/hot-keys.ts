import { type Key, keyFamily } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';

/**
 * Hot keys are measured (row A10): one of 64 reads that found its value counts it, inside the request that it makes
 * anyway. Scores decay with each run of cache-warm, so that what is no longer read leaves the table.
 */
const SHARDS = 8;
export const HOT_SAMPLE = 64;
const KEPT_PER_SHARD = 500;
const DECAY = 0.8;
/** Three minutes after its only sampled read a key is forgotten. */
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
  /** As its read named it: `<resource>:<id>`. */
  name: string;
  /** Estimated from the sample. */
  readsPerMinute: number;
}

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

const readScript = new Script(lua`
local answer = {}
for i, key in ipairs(KEYS) do answer[i] = redis.call('ZREVRANGE', key, 0, tonumber(ARGV[1]) - 1, 'WITHSCORES') end
return answer
`);

/** Lets the scores decay, once a minute. The hottest first. One request. */
export async function decayHotKeys(limit: number): Promise<HotRecord[]> {
  const args = [DECAY, FORGOTTEN_BELOW, KEPT_PER_SHARD, hotKey.family.ttlSeconds * 1000];
  return hottest(await evaluate<string[][]>(decayScript, hotKeys(), args), limit);
}

/** The table as it stands, the hottest first. One request. */
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
  // A key read r times a minute settles at r / 64 / (1 - decay).
  return [...scores]
    .map(([name, score]) => ({ name, readsPerMinute: Math.round(score * HOT_SAMPLE * (1 - DECAY)) }))
    .sort((a, b) => b.readsPerMinute - a.readsPerMinute || (a.name < b.name ? -1 : 1))
    .slice(0, limit);
}
