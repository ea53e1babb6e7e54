import { randomUUID } from 'node:crypto';
import {
  buildKey,
  FILTER_SHARDS,
  FILTER_SIZES,
  type FilterSize,
  HEADER_BITS,
  JOURNAL_MS,
  journalKey,
  LIVE_MS,
  liveKey,
  placeOf,
} from '../cache/existence-filter.ts';
import { type Key, keyFamily } from '../keys.ts';
import { batch, evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { countRows, idsAfter } from './records.ts';
import type { Resource } from './resource.ts';

/**
 * Builds the existence filters, in steps that cache-warm takes:
 *
 *     begin -> wait for the longest write (45 s) -> read all ids in slices -> apply the journal and swap, in one script
 *
 * An id announced before `begin` is committed, or will never be, when the first slice is read. An id announced later is
 * in the journal, which only the swap empties. So every id that was announced before its commit is in the new filter.
 * The wait comes before the slices. Therefore the swap may empty the journal, which holds only the ids of one build.
 */
/** A statement may run 35 s after its client stopped waiting; the rest is for the attempts before it. */
const SETTLE_MS = 45_000;
const BUILD_MS = 3_000_000;
const REBUILD_AFTER_MS = 3_600_000;
const BITS_PER_ROW = 10;
const SLICE = 5_000;

const buildingKey = keyFamily<[string]>({
  area: 'filter',
  name: 'building',
  version: 1,
  parts: ['id'],
  ttlSeconds: BUILD_MS / 1000,
});
const partKey = keyFamily<[string, number]>({
  area: 'filter',
  name: 'part',
  version: 1,
  parts: ['id', 'number'],
  ttlSeconds: 60,
});
/** The number of rows of the last build. While this key exists, the filter needs no new build. */
const builtKey = keyFamily<[string]>({
  area: 'filter',
  name: 'built',
  version: 1,
  parts: ['id'],
  ttlSeconds: REBUILD_AFTER_MS / 1000,
});

/** `<token>;<size>;<after id>;<rows>`: the owner of the build, and the last id that was read. */
interface Build {
  token: string;
  size: FilterSize;
  afterId: string;
  rows: number;
}
const encodeBuild = ({ token, size, afterId, rows }: Build): string => [token, size, afterId, rows].join(';');
function decodeBuild(stored: unknown): Build | undefined {
  const [token = '', size = '', afterId = '', rows = ''] = typeof stored === 'string' ? stored.split(';') : [];
  return token === '' ? undefined : { token, size: Number(size) as FilterSize, afterId, rows: Number(rows) };
}

const shards = Array.from({ length: FILTER_SHARDS }, (_, shard) => shard);
const liveKeys = (resource: Resource): Key[] => shards.map((shard) => liveKey(resource.name, shard));
const buildKeys = (resource: Resource): Key[] => shards.map((shard) => buildKey(resource.name, shard));

const OWNED = lua`
local function owned(key, token) return string.match(redis.call('GET', key) or '', '^[^;]+') == token end
`;

const beginScript = new Script(lua`
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'PX', ARGV[2]) then return 0 end
for i = 2, #KEYS do
  redis.call('DEL', KEYS[i])
  redis.call('SETBIT', KEYS[i], ${HEADER_BITS} - 1 + 2 ^ ARGV[3], 0)
  redis.call('PEXPIRE', KEYS[i], ARGV[4])
end
return 1
`);

const mergeScript = new Script(lua`
${OWNED}
if not owned(KEYS[1], ARGV[1]) or redis.call('EXISTS', KEYS[2]) == 0 then return 0 end
local byte = {}
for i = 0, 255 do byte[string.format('%02x', i)] = string.char(i) end
redis.call('SET', KEYS[3], (string.gsub(ARGV[2], '..', byte)), 'PX', 60000)
local left = redis.call('PTTL', KEYS[2])
redis.call('BITOP', 'OR', KEYS[2], KEYS[2], KEYS[3])
redis.call('PEXPIRE', KEYS[2], left)
redis.call('DEL', KEYS[3])
return 1
`);

const progressScript = new Script(lua`
${OWNED}
if not owned(KEYS[1], ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'KEEPTTL')
return 1
`);

/** KEYS: building, journal, built, build shards, live shards. */
export const swapScript = new Script(lua`
${OWNED}
local count, size = ${FILTER_SHARDS}, tonumber(ARGV[2])
if not owned(KEYS[1], ARGV[1]) then return 0 end
if redis.call('EXISTS', unpack(KEYS, 4, 3 + count)) < count then redis.call('DEL', KEYS[1]) return 0 end
for _, member in ipairs(redis.call('SMEMBERS', KEYS[2])) do
  local shard, hashes = string.match(member, '^(%d+):(.*)$')
  for hash in string.gmatch(hashes, '%d+') do
    redis.call('SETBIT', KEYS[4 + shard], ${HEADER_BITS} + tonumber(hash) % 2 ^ size, 1)
  end
end
for i = 4, 3 + count do
  redis.call('SETRANGE', KEYS[i], 0, string.char(size))
  redis.call('RENAME', KEYS[i], KEYS[i + count])
  redis.call('PEXPIRE', KEYS[i + count], ARGV[3])
end
redis.call('DEL', KEYS[1], KEYS[2])
redis.call('SET', KEYS[3], ARGV[4], 'PX', ARGV[5])
return 1
`);

/**
 * Returns how many shards exist. It renews their lifetimes only after half of them, because each command has a price.
 */
const tendScript = new Script(lua`
if redis.call('PTTL', KEYS[1]) > ARGV[1] / 2 then return redis.call('EXISTS', unpack(KEYS)) end
local alive = 0
for _, key in ipairs(KEYS) do alive = alive + redis.call('PEXPIRE', key, ARGV[1]) end
return alive
`);

export type FilterStep = 'live' | 'begun' | 'settling' | 'reading' | 'swapped' | 'lost' | 'too-large';

/** Called after other tools wrote too many rows to announce. The filter gives no answer until it is built again. */
export async function retireFilter(resource: string): Promise<void> {
  await batch([...shards.map((shard) => liveKey(resource, shard)), buildingKey(resource)].map((key) => ['del', key]));
}

/** The source of the ids. */
interface IdSource {
  countRows(resource: Resource): Promise<number>;
  idsAfter(resource: Resource, afterId: string, limit: number): Promise<string[]>;
}

/**
 * Does the next step towards a complete and recent filter. Only tests pass a smaller `settleMs`. Throws EngineError.
 */
export async function maintainFilter(
  resource: Resource,
  stopAt: number,
  settleMs = SETTLE_MS,
  source: IdSource = { countRows, idsAfter },
): Promise<FilterStep> {
  const [stored, leftMs, built] = await batch([
    ['get', buildingKey(resource.name)],
    ['pttl', buildingKey(resource.name)],
    ['get', builtKey(resource.name)],
  ]);
  const alive = await evaluate<number>(tendScript, liveKeys(resource), [LIVE_MS]);
  const build = decodeBuild(stored);
  if (!build) {
    if (alive === FILTER_SHARDS && built !== null) return 'live';
    return begin(resource, source);
  }
  if (BUILD_MS - Number(leftMs) < settleMs) return 'settling';
  return read(resource, build, stopAt, source);
}

async function begin(resource: Resource, source: IdSource): Promise<FilterStep> {
  const rows = (await source.countRows(resource)) * 1.25;
  const size = FILTER_SIZES.find((candidate) => FILTER_SHARDS * 2 ** candidate >= rows * BITS_PER_ROW);
  if (size === undefined) return 'too-large';
  const build: Build = { token: randomUUID(), size, afterId: '0', rows: 0 };
  const keys = [buildingKey(resource.name), ...buildKeys(resource)];
  const begun = await evaluate<number>(beginScript, keys, [encodeBuild(build), BUILD_MS, size, JOURNAL_MS]);
  return begun === 1 ? 'begun' : 'settling';
}

async function read(resource: Resource, build: Build, stopAt: number, source: IdSource): Promise<FilterStep> {
  const bitmaps = shards.map(() => Buffer.alloc(1 + 2 ** build.size / 8));
  let { afterId, rows } = build;
  let whole = false;
  while (!whole && Date.now() < stopAt) {
    const ids = await source.idsAfter(resource, afterId, SLICE);
    for (const id of ids) mark(bitmaps, build.size, resource, id);
    rows += ids.length;
    afterId = ids.at(-1) ?? afterId;
    whole = ids.length < SLICE;
  }
  if (!(await merge(resource, build, bitmaps))) return 'lost';
  if (!whole) {
    const next = encodeBuild({ ...build, afterId, rows });
    const saved = await evaluate<number>(progressScript, [buildingKey(resource.name)], [build.token, next]);
    return saved === 1 ? 'reading' : 'lost';
  }
  const keys = [buildingKey(resource.name), journalKey(resource.name), builtKey(resource.name)];
  const swapped = await evaluate<number>(
    swapScript,
    [...keys, ...buildKeys(resource), ...liveKeys(resource)],
    [build.token, build.size, LIVE_MS, rows, REBUILD_AFTER_MS],
  );
  return swapped === 1 ? 'swapped' : 'lost';
}

function mark(bitmaps: Buffer[], size: FilterSize, resource: Resource, id: string): void {
  const { shard, hashes } = placeOf(resource.name, id);
  const bitmap = bitmaps[shard] as Buffer;
  for (const hash of hashes) {
    const bit = HEADER_BITS + (hash % 2 ** size);
    bitmap[bit >> 3] = (bitmap[bit >> 3] as number) | (0x80 >> (bit & 7));
  }
}

/** Adds the ids that this run read, by OR. false: another run owns the build now. */
async function merge(resource: Resource, build: Build, bitmaps: Buffer[]): Promise<boolean> {
  for (const shard of shards) {
    const bitmap = bitmaps[shard] as Buffer;
    if (bitmap.every((byte) => byte === 0)) continue;
    const keys = [buildingKey(resource.name), buildKey(resource.name, shard), partKey(resource.name, shard)];
    const merged = await evaluate<number>(mergeScript, keys, [build.token, bitmap.toString('hex')]);
    if (merged === 0) return false;
  }
  return true;
}
