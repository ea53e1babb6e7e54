import { keyFamily } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';

/** Replay records: what makes an access_token good once. Their keys, and since when they are known to be whole. */
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

/** When the replay records began; 16 of them, so that no key is written by all calls. */
export const sinceKey = keyFamily<[string]>({
  area: 'replay',
  name: 'since',
  version: 1,
  parts: ['id'],
  ttlSeconds: 86_400,
});
export const SINCE_SHARDS = '0123456789abcdef';

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
 * Keeps the marks alive through quiet days: without them the first call after one would be refused as after a flush.
 * Where they are gone the records are too, and begin now. Answers how many began. One request.
 */
export async function keepReplayRecords(now = Date.now()): Promise<number> {
  const keys = [...SINCE_SHARDS].map((shard) => sinceKey(shard));
  return evaluate<number>(keepScript, keys, [Math.floor(now / 1000), sinceKey.family.ttlSeconds * 1000]);
}
