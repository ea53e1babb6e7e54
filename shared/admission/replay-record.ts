import { createHash } from 'node:crypto';
import { CLOCK } from '../clock.ts';
import { type Key, keyFamily } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import type { TokenUse } from './request.ts';
import { SINCE_MARK, SINCE_SECONDS } from './since-mark.ts';

/**
 * Replay records: because of them an access_token is valid once. A record is a field of a hash or a member of a set,
 * because a key of its own would cost three times the memory. All records of one key end together, at least
 * RECORDED_SECONDS after the time stamp. At 1 000 calls a second a hash stays below 128 fields: up to there Redis
 * stores it without pointers (hash-max-listpack-entries).
 */
export interface ReplayRecord {
  bucket: Key;
  field: string;
  /** Unix seconds, from the time stamp alone. */
  endsAt: number;
}

/** The window of 300 s after the time stamp, and 10 s more. */
const RECORDED_SECONDS = 310;
const WINDOW_SECONDS = 300;

/** Of a signature. It has one time stamp, so its hash is known. */
const BUCKET_SECONDS = 10;
const BUCKET_SHARDS = 128;
const bucketKey = keyFamily<[number, number]>({
  area: 'replay',
  name: 'signature',
  version: 2,
  parts: ['number', 'number'],
  ttlSeconds: WINDOW_SECONDS + BUCKET_SECONDS + RECORDED_SECONDS,
});

/**
 * Of a nonce, for v1: a set of whole numbers, which takes 8 bytes for each as long as it has at most 512
 * (set-max-intset-entries), and about 60 beyond. The same nonce may come again with another time stamp: while its
 * record is needed, at most 610 s earlier or later. So it is in the set of this time stamp, of the one before, or of
 * the one after.
 */
const EPOCH_SECONDS = 620;
const EPOCH_SHARDS = 256;
const epochKey = keyFamily<[number, number]>({
  area: 'replay',
  name: 'nonce',
  version: 2,
  parts: ['number', 'number'],
  ttlSeconds: WINDOW_SECONDS + EPOCH_SECONDS + RECORDED_SECONDS,
});

/** 96 bits as 16 characters. */
const fieldOf = (bytes: Buffer): string => bytes.toString('base64url', 0, 12);

/** `signature`: hex. The field takes its first 12 bytes, and the shard the next two. */
export function signatureRecord({ signature, timeStamp }: Pick<TokenUse, 'signature' | 'timeStamp'>): ReplayRecord {
  const bytes = Buffer.from(signature, 'hex');
  const bucket = Math.floor(timeStamp / BUCKET_SECONDS);
  return {
    bucket: bucketKey(bucket, bytes.readUInt16BE(12) % BUCKET_SHARDS),
    field: fieldOf(bytes),
    endsAt: (bucket + 1) * BUCKET_SECONDS + RECORDED_SECONDS,
  };
}

interface NonceRecord {
  epoch: Key;
  earlier: Key;
  later: Key;
  /** A number of 63 bits, never 0. */
  member: string;
  endsAt: number;
}

/** Where the nonce of a v1 token is recorded, and the two other sets that may hold it. */
export function nonceRecord({ appId, nonce, timeStamp }: TokenUse): NonceRecord {
  const bytes = createHash('sha256').update(`${appId}\n${nonce}`).digest();
  const shard = bytes.readUInt8(8) % EPOCH_SHARDS;
  const epoch = Math.floor(timeStamp / EPOCH_SECONDS);
  return {
    epoch: epochKey(epoch, shard),
    earlier: epochKey(epoch - 1, shard),
    later: epochKey(epoch + 1, shard),
    member: String((bytes.readBigUInt64BE(0) >> 1n) | 1n),
    endsAt: (epoch + 1) * EPOCH_SECONDS + RECORDED_SECONDS,
  };
}

/** The id of a request, as its records hold it. */
export const recordId = (requestId: string): string => fieldOf(createHash('sha256').update(requestId).digest());

/**
 * The keys of records before they were fields of hashes. They are read, not written, until no such record can be alive:
 * so a token that was used before a deploy stays used.
 */
export const FORMER_SECONDS = 620;
export const signatureKey = keyFamily<[string]>({
  area: 'replay',
  name: 'signature',
  version: 1,
  parts: ['id'],
  ttlSeconds: FORMER_SECONDS,
});
export const nonceKey = keyFamily<[string, string]>({
  area: 'replay',
  name: 'nonce',
  version: 1,
  parts: ['id', 'id'],
  ttlSeconds: FORMER_SECONDS,
});

/** There are 16 since marks, so that not all calls write one key. */
export const sinceKey = keyFamily<[string]>({
  area: 'replay',
  name: 'since',
  version: 1,
  parts: ['id'],
  ttlSeconds: SINCE_SECONDS,
});
export const SINCE_SHARDS = '0123456789abcdef';

/**
 * A token is recorded for at most so long after its use. What is known about callers' clocks from before is of no use
 * then, and after a restart it would be taken for true.
 */
const CLOCKS_KNOWN_SECONDS = WINDOW_SECONDS + RECORDED_SECONDS;

/**
 * KEYS: since marks. ARGV: life of a mark in ms, and for how many ms a mark keeps what it knows about callers' clocks.
 * Answer: how many marks were missing. It also begins a new minute for what is known about these clocks. While there is
 * nothing new, a mark is not renewed, so its TTL shows since when.
 */
const keepScript = new Script(lua`
${CLOCK}
${SINCE_MARK}
local now, lifeMs, knownMs = clock(KEYS[1]), tonumber(ARGV[1]), tonumber(ARGV[2])
local second, begun = math.floor(now / 1000), 0
for i, text in ipairs(redis.call('MGET', unpack(KEYS))) do
  local mark = read_mark(text, second)
  if not mark then
    mark = new_mark(second)
    begun = begun + 1
  end
  if mark.ahead or not mark.before or redis.call('PTTL', KEYS[i]) <= lifeMs - knownMs then
    mark.ahead, mark.before = nil, mark.ahead
    redis.call('SET', KEYS[i], mark_text(mark), 'PX', lifeMs)
  end
end
return begun
`);

/**
 * Renews the since marks, also when there are no calls: without a mark calls are refused as after a flush. If a mark is
 * missing, Redis lost its data, so the records are complete only from now on. Returns how many marks were missing. One
 * request. Throws EngineError.
 */
export async function keepReplayRecords(): Promise<number> {
  const keys = [...SINCE_SHARDS].map((shard) => sinceKey(shard));
  return evaluate<number>(keepScript, keys, [SINCE_SECONDS * 1000, CLOCKS_KNOWN_SECONDS * 1000]);
}
