import { randomUUID } from 'node:crypto';
import { hasReplica } from '../db.ts';
import { EngineError } from '../errors.ts';
import type { Key } from '../keys.ts';
import { batch, evaluate } from '../redis.ts';
import { count } from '../telemetry.ts';
import { type CachePolicy, type Found, fill, giveUp, type Load, type Loaded } from './fill.ts';
import { dropScript, lookupScript } from './scripts.ts';
import { oncePerInvocation } from './single-flight.ts';
import { type CachedValue, decodeValue } from './value.ts';
import { ignoreEngine } from './write.ts';

export type { CachePolicy, Found, Load, Loaded };

/**
 * Cache-aside with leases. A miss leaves a lease in the key. A fill succeeds only while its lease is in the key, and
 * every delete removes the lease. So an invalidation wins over every load that began before it, for values and for null
 * markers (row A7 (null caching)). Nothing runs after the answer.
 *
 * A state says what this request may do with a key. `hit` to `bypass` are explained at LOOK in scripts.ts. `none`: the
 * existence filter says that the record does not exist. `redis-down`: Redis did not answer. `plain`: the value of a
 * read of kind `plain`, see CacheRead.
 */
export type ReadState =
  | 'hit'
  | 'stale'
  | 'refresh'
  | 'reload'
  | 'lease'
  | 'wait'
  | 'bypass'
  | 'none'
  | 'redis-down'
  | 'plain';
export interface ReadAnswer {
  state: ReadState;
  /** The value as it is in Redis; '' where the state gives none. */
  stored: string;
}

/** Stands for a key that was not looked up: its value is read from the primary, and the cache is not filled. */
export const NOT_READ: ReadAnswer = { state: 'bypass', stored: '' };

export const LEASE_MS = 5_000;
/** Waits for another request's load, 150 ms in all at most: each step is shortened by a random part. */
export const WAIT_STEPS_MS = [20, 45, 85];

/**
 * XFetch: a random factor, so that one reader refreshes a value before it is stale. This is more likely when a load
 * takes long and when the end of the fresh time is near.
 */
export const drawEarliness = (): number => -Math.log(1 - Math.random());

/**
 * Reads through the cache outside of admission: at most 2 requests to Redis and 1 load. Parallel reads of the same keys
 * in one invocation share one read; therefore the result is frozen. Returns one entry for each key, in order. Throws
 * what `load` throws, and EngineError when too many loads run without Redis.
 */
export async function readThrough<T>(keys: Key[], policy: CachePolicy, load: Load<T>): Promise<Array<Found<T>>> {
  const { local } = policy;
  if (!local) return oncePerInvocation(keys.join(' '), () => lookUp(keys, policy, load));
  const known = keys.map((key) => local.get(key) as Found<T> | undefined);
  if (known.every((entry) => entry !== undefined)) return known as Array<Found<T>>;
  const startedAt = Date.now();
  const found = await oncePerInvocation(keys.join(' '), () => lookUp(keys, policy, load));
  found.forEach((entry, index) => void (entry.cache !== 'stale' && local.set(keys[index] as Key, entry, startedAt)));
  return found;
}

async function lookUp<T>(keys: Key[], policy: CachePolicy, load: Load<T>): Promise<Array<Found<T>>> {
  const leaseId = randomUUID();
  let answers: ReadAnswer[];
  try {
    const flat = await evaluate<string[]>(lookupScript, keys, [leaseId, drawEarliness(), LEASE_MS]);
    answers = keys.map((_, i) => ({ state: flat[2 * i] as ReadState, stored: flat[2 * i + 1] ?? '' }));
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return readWithoutRedis(keys, load);
  }
  return settleReads(leaseId, keys, answers, policy, load);
}

/** Redis is down, read route: a process has at most this many loads from MySQL at once. More are refused with 503. */
const MAX_LOADS_WITHOUT_REDIS = 8;
let loadsWithoutRedis = 0;

/** Runs `load` if fewer than MAX_LOADS_WITHOUT_REDIS are running. Throws EngineError otherwise. */
export async function withLoadCap<T>(load: () => Promise<T>): Promise<T> {
  if (loadsWithoutRedis >= MAX_LOADS_WITHOUT_REDIS) throw new EngineError('redis', 'load cap reached', 'not-applied');
  loadsWithoutRedis++;
  try {
    count('cache.without-redis');
    return await load();
  } finally {
    loadsWithoutRedis--;
  }
}

async function readWithoutRedis<T>(keys: readonly Key[], load: Load<T>): Promise<Array<Found<T>>> {
  const indexes = keys.map((_, index) => index);
  return (await withLoadCap(() => load(indexes, true))).map(foundByLoad);
}

const foundByLoad = <T>(loaded: Loaded<T>): Found<T> => ({
  value: loaded.value,
  reason: loaded.reason ?? '',
  cache: loaded.value === null ? 'null' : 'miss',
});

/**
 * Turns the answers of a lookup or of admission into values. It loads the keys that this request leased, and waits for
 * those that other requests load. Returns one entry for each key, in order. Throws what `load` throws, unless a stale
 * value may be served.
 */
export async function settleReads<T>(
  leaseId: string,
  keys: readonly Key[],
  answers: readonly ReadAnswer[],
  policy: CachePolicy,
  load: Load<T>,
): Promise<Array<Found<T>>> {
  if (answers.some(({ state }) => state === 'redis-down')) return readWithoutRedis(keys, load);
  const found = answers.map((answer) => foundInCache<T>(answer));
  const corrupt = new Set(answers.flatMap(({ stored }, i) => (stored !== '' && found[i] === undefined ? [i] : [])));
  if (corrupt.size > 0) await dropCorrupt(keys, answers, corrupt);
  await awaitOthers(keys, answers, found);

  const leased = answers.flatMap(({ state }, i) => (holdsLease(state) && !corrupt.has(i) ? [i] : []));
  const missing = found.flatMap((entry, i) => (entry === undefined || leased.includes(i) ? [i] : []));
  if (missing.length === 0) return found as Array<Found<T>>;

  const startedAt = Date.now();
  // A floor protects only what is filled into the cache. Values that are loaded without a fill come from the primary.
  const primary = !hasReplica() || missing.length > leased.length;
  try {
    const rows = await load(missing, primary);
    const loaded = new Map(missing.map((index, position) => [index, rows[position] as Loaded<T>]));
    const loadMs = Date.now() - startedAt;
    if (leased.length > 0) {
      await fill({ leaseId, keys, leased, policy, loadMs, primary, load }, loaded);
    }
    for (const [index, row] of loaded) found[index] = foundByLoad(row);
    return found as Array<Found<T>>;
  } catch (error) {
    await giveUp(
      leaseId,
      leased.map((i) => keys[i] as Key),
    ).catch(ignoreEngine);
    return serveStale(found, missing, error);
  }
}

const holdsLease = (state: ReadState): boolean => state === 'lease' || state === 'refresh' || state === 'reload';

/**
 * A loader throws: nothing is cached, never a null marker. MySQL is down, cached read: served; within the grace time
 * also when stale. Throws `error` if a key has no value at all.
 */
function serveStale<T>(found: Array<Found<T> | undefined>, missing: number[], error: unknown): Array<Found<T>> {
  if (missing.some((i) => found[i] === undefined)) throw error;
  count('cache.served-stale');
  return (found as Array<Found<T>>).map((entry, i) =>
    entry.value === null || !missing.includes(i) ? entry : { ...entry, cache: 'stale' },
  );
}

/**
 * Values that cannot be decoded (damaged, or of another codec) count as misses. They are deleted if still unchanged.
 */
async function dropCorrupt(keys: readonly Key[], answers: readonly ReadAnswer[], corrupt: Set<number>): Promise<void> {
  count('cache.corrupt', corrupt.size);
  const indexes = [...corrupt];
  await evaluate(
    dropScript,
    indexes.map((i) => keys[i] as Key),
    indexes.map((i) => answers[i]?.stored ?? ''),
  ).catch(ignoreEngine);
}

function foundInCache<T>({ state, stored }: ReadAnswer): Found<T> | undefined {
  if (state === 'none') return { value: null, reason: '', cache: 'null' };
  if (stored === '') return undefined;
  const cached = decodeValue(stored);
  return cached && foundFrom<T>(cached, state === 'stale' || state === 'reload');
}

const foundFrom = <T>(cached: CachedValue, stale: boolean): Found<T> =>
  cached.value === undefined
    ? { value: null, reason: cached.reason, cache: 'null' }
    : { value: cached.value as T, reason: '', cache: stale ? 'stale' : 'hit' };

/**
 * Another request loads the value: look three times within 150 ms. What is still missing is then loaded, not filled.
 */
async function awaitOthers<T>(
  keys: readonly Key[],
  answers: readonly ReadAnswer[],
  found: Array<Found<T> | undefined>,
) {
  let waiting = answers.flatMap(({ state }, i) => (state === 'wait' ? [i] : []));
  for (const step of WAIT_STEPS_MS) {
    if (waiting.length === 0) return;
    await new Promise((resolve) => setTimeout(resolve, step * (0.7 + 0.3 * Math.random())));
    const stored = await batch(waiting.map((i) => ['get', keys[i] as Key] as const)).catch(() => []);
    const still: number[] = [];
    waiting.forEach((index, position) => {
      const value = stored[position];
      const cached = typeof value === 'string' ? decodeValue(value) : undefined;
      if (cached) found[index] = foundFrom<T>(cached, false);
      else still.push(index);
    });
    waiting = still;
  }
}
