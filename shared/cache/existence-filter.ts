import { createHash } from 'node:crypto';
import { type Key, keyFamily } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';

/**
 * Existence filter against floods of random ids (row A11): one Bloom filter in Redis for each resource. The admission
 * script asks it. It answers "certainly absent" or "perhaps there"; an id that exists is never called absent. While the
 * filter is missing or incomplete it gives no answer.
 *
 * The filter is split into shards by hash, so that not all calls read one key. A shard is a string. Its first byte is
 * log2 of its number of bits, or 0 while the shard is incomplete; the bits follow. A process does not know the size: it
 * sends seven hashes, and the script takes them modulo the size that it finds. data/filter-builder.ts builds the
 * filter.
 */
export const FILTER_SHARDS = 64;
const HASHES = 7;
/** log2 of the bits of a shard. With 10 bits for each row the answer is "perhaps" for 0.8 % of the absent ids. */
export const FILTER_SIZES = [12, 15, 18, 21] as const;
export type FilterSize = (typeof FILTER_SIZES)[number];
const MAX_BITS = 2 ** 21;
export const HEADER_BITS = 8;

/** Lifetime of a live shard. Each run of cache-warm that has swept all changes renews it; otherwise the filter ends. */
export const LIVE_MS = 300_000;
/** Lifetime of the journal and of the shards in the making: longer than a build takes. */
export const JOURNAL_MS = 3_600_000;

const shardKey = (name: string, ttlSeconds: number) =>
  keyFamily<[string, number]>({ area: 'filter', name, version: 1, parts: ['id', 'number'], ttlSeconds });
export const liveKey = shardKey('live', LIVE_MS / 1000);
export const buildKey = shardKey('build', JOURNAL_MS / 1000);
/** Ids announced since the last build began: the build may have missed them. */
export const journalKey = keyFamily<[string]>({
  area: 'filter',
  name: 'journal',
  version: 1,
  parts: ['id'],
  ttlSeconds: JOURNAL_MS / 1000,
});

interface FilterPlace {
  shard: number;
  hashes: number[];
}

/** The shard of an id and its hashes; a hash is smaller than the largest size of a shard. */
export function placeOf(resource: string, id: string): FilterPlace {
  const digest = createHash('sha256').update(`${resource}:${id}`).digest();
  const hashes = Array.from({ length: HASHES }, (_, i) => digest.readUInt32BE(4 * i) % MAX_BITS);
  return { shard: digest.readUInt32BE(28) % FILTER_SHARDS, hashes };
}

/** The question to the filter, for admission: the shard's key and the hashes. */
export function filterCheck(resource: string, id: string): { key: Key; hashes: readonly number[] } {
  const { shard, hashes } = placeOf(resource, id);
  return { key: liveKey(resource, shard), hashes };
}

/**
 * Lua. ask_filter(key, hashes) returns false if the filter is complete and says "absent". It reads the bits for the
 * size of the last shard that it asked, and the shard's own size in the same command. Shards of one filter nearly
 * always have one size, so only the first question takes a second command.
 */
export const ASK = lua`
local filter_size = ${FILTER_SIZES[0]}
local function ask_filter(key, hashes)
  for _ = 1, 2 do
    local ask = {'BITFIELD_RO', key, 'GET', 'u8', 0}
    for hash in string.gmatch(hashes, '%d+') do
      ask[#ask + 1] = 'GET' ask[#ask + 1] = 'u1' ask[#ask + 1] = ${HEADER_BITS} + hash % 2 ^ filter_size
    end
    local bits = redis.pcall(unpack(ask))
    local size = bits[1]
    if not size or size == 0 or size > ${Math.log2(MAX_BITS)} then return true end
    if size == filter_size then
      for b = 2, #bits do if bits[b] == 0 then return false end end
      return true
    end
    filter_size = size
  end
  return true
end
`;

/** KEYS: journal, then the live shard of each id. ARGV: life ms of the journal, then `<shard>:<hashes>` of each id. */
export const announceScript = new Script(lua`
redis.call('SADD', KEYS[1], unpack(ARGV, 2))
redis.call('PEXPIRE', KEYS[1], ARGV[1])
for i = 2, #KEYS do
  local head = redis.pcall('GETRANGE', KEYS[i], 0, 0)
  local size = type(head) == 'string' and string.byte(head)
  if size and size > 0 then
    local set = {'BITFIELD', KEYS[i]}
    for hash in string.gmatch(string.match(ARGV[i], ':(.*)'), '%d+') do
      set[#set + 1] = 'SET' set[#set + 1] = 'u1' set[#set + 1] = ${HEADER_BITS} + tonumber(hash) % 2 ^ size set[#set + 1] = 1
    end
    redis.call(unpack(set))
  end
end
return 1
`);

/**
 * Adds ids that are about to exist to the live filter, and to the journal for a filter that is being built. A writer
 * calls it before the commit, and again with each attempt. If it fails, nothing may be written. One request. Throws
 * EngineError.
 */
export async function announceIds(resource: string, ids: readonly string[]): Promise<void> {
  if (ids.length === 0) return;
  const places = ids.map((id) => placeOf(resource, id));
  await evaluate(
    announceScript,
    [journalKey(resource), ...places.map(({ shard }) => liveKey(resource, shard))],
    [JOURNAL_MS, ...places.map(({ shard, hashes }) => `${shard}:${hashes.join(',')}`)],
  );
}
