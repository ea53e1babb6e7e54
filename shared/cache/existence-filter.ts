import { createHash } from 'node:crypto';
import { type Key, keyFamily } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';

/**
 * Existence filter against floods of random ids (row A11): one Bloom filter per resource in Redis, cut into shards by
 * hash so that no key is read by all calls, and asked inside the admission script. It may say "perhaps" of what does
 * not exist, never "absent" of what does; while it is not there or not whole it says nothing.
 *
 * A shard is a string: its first byte is log2 of its bits (0: not whole), the bits follow. A process need not know
 * the size: it names seven hashes, the script takes them modulo the size that it finds. filter-builder.ts builds it.
 */
export const FILTER_SHARDS = 64;
const HASHES = 7;
/** At most 10 bits per row: at 0.8 % of absent ids the answer is "perhaps". */
export const FILTER_SIZES = [12, 15, 18, 21] as const;
export type FilterSize = (typeof FILTER_SIZES)[number];
const MAX_BITS = 2 ** 21;
export const HEADER_BITS = 8;

/** Kept alive by each run of cache-warm that has swept all changes; a filter that nobody tends goes. */
export const LIVE_MS = 300_000;
/** Longer than any build takes. */
export const JOURNAL_MS = 3_600_000;

const shardKey = (name: string, ttlSeconds: number) =>
  keyFamily<[string, number]>({ area: 'filter', name, version: 1, parts: ['id', 'number'], ttlSeconds });
export const liveKey = shardKey('live', LIVE_MS / 1000);
export const buildKey = shardKey('build', JOURNAL_MS / 1000);
/** What was announced since the last build began: ids that the build may have read past. */
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

export function placeOf(resource: string, id: string): FilterPlace {
  const digest = createHash('sha256').update(`${resource}:${id}`).digest();
  const hashes = Array.from({ length: HASHES }, (_, i) => digest.readUInt32BE(4 * i) % MAX_BITS);
  return { shard: digest.readUInt32BE(28) % FILTER_SHARDS, hashes };
}

/** What admission asks: the shard's key and the hashes. */
export function filterCheck(resource: string, id: string): { key: Key; hashes: readonly number[] } {
  const { shard, hashes } = placeOf(resource, id);
  return { key: liveKey(resource, shard), hashes };
}

/**
 * Lua: ask_filter(key, hashes) is false when the filter is whole and says "absent". One command for every size there
 * is, since the size is only known with the answer.
 */
export const ASK = lua`
local sizes = {${FILTER_SIZES}}
local function ask_filter(key, hashes)
  local ask, asked = {'BITFIELD_RO', key, 'GET', 'u8', 0}, 0
  for _, size in ipairs(sizes) do
    asked = 0
    for hash in string.gmatch(hashes, '%d+') do
      ask[#ask + 1] = 'GET' ask[#ask + 1] = 'u1' ask[#ask + 1] = ${HEADER_BITS} + tonumber(hash) % 2 ^ size
      asked = asked + 1
    end
  end
  local bits = redis.pcall(unpack(ask))
  for slot, size in ipairs(sizes) do
    if bits[1] == size then
      for b = 1, asked do if bits[1 + (slot - 1) * asked + b] == 0 then return false end end
    end
  end
  return true
end
`;

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
 * Tells the live filter, and the one that may be in the making, of ids that are about to exist. Comes before the
 * commit, and again with each attempt: the writer waits for it, and without it nothing is written. One request.
 * Throws EngineError.
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
