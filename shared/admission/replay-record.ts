import { keyFamily } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';

/** Replay records: because of them an access_token is valid once. Their keys, and the since marks. */

/** 300 s before and 300 s after the time stamp, 10 s after it, and 10 s more for clocks that differ. */
const RECORD_SECONDS = 620;
export const signatureKey = keyFamily<[string]>({
  area: 'replay',
  name: 'signature',
  version: 1,
  parts: ['id'],
  ttlSeconds: RECORD_SECONDS,
});
export const nonceKey = keyFamily<[string, string]>({
  area: 'replay',
  name: 'nonce',
  version: 1,
  parts: ['id', 'id'],
  ttlSeconds: RECORD_SECONDS,
});

/** Since marks: since when the replay records are complete. There are 16, so that not all calls write one key. */
export const sinceKey = keyFamily<[string]>({
  area: 'replay',
  name: 'since',
  version: 1,
  parts: ['id'],
  ttlSeconds: 86_400,
});
export const SINCE_SHARDS = '0123456789abcdef';

/** KEYS: since marks. ARGV: now in seconds, life ms. Answer: how many marks were missing. */
const keepScript = new Script(lua`
local begun = 0
for _, key in ipairs(KEYS) do
  if redis.call('PEXPIRE', key, ARGV[2]) == 0 then
    redis.call('SET', key, ARGV[1], 'PX', ARGV[2])
    begun = begun + 1
  end
end
return begun
`);

/**
 * Renews the since marks, also when there are no calls: without a mark calls are refused as after a flush. If a mark is
 * missing, Redis lost its data, so the records are complete only from now on. Returns how many marks were missing. One
 * request. Throws EngineError.
 */
export async function keepReplayRecords(now = Date.now()): Promise<number> {
  const keys = [...SINCE_SHARDS].map((shard) => sinceKey(shard));
  return evaluate<number>(keepScript, keys, [Math.floor(now / 1000), sinceKey.family.ttlSeconds * 1000]);
}
