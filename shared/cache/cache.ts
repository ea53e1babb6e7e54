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
 * Cache-aside with leases. A miss leaves a lease in the key, a fill lands only while its lease stands, and any delete
 * takes the lease away: an invalidation always wins over a load that began before it, for values and null markers
 * alike (row A7). Nothing runs after the answer.
 */
export type ReadState = 'hit' | 'stale' | 'refresh' | 'lease' | 'wait' | 'bypass' | 'none' | 'away' | 'plain';
export interface ReadAnswer {
  state: ReadState;
  stored: string;
}

/** For what nobody looked up: it is read from the primary and fills nothing. */
export const NOT_READ: ReadAnswer = { state: 'bypass', stored: '' };

export const LEASE_MS = 5_000;
/** With jitter at most 150 ms in all. */
const WAIT_STEPS_MS = [20, 45, 85];

/** XFetch: the longer a load takes and the nearer the end, the likelier a reader refreshes early. */
export const drawEarliness = (): number => -Math.log(1 - Math.random());

/**
 * Reads through the cache where no admission rides along: at most 2 requests to Redis and 1 load. Parallel reads of the
 * same keys in one invocation are one, and share what they get: it is frozen.
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
  const requestId = randomUUID();
  let answers: ReadAnswer[];
  try {
    const flat = await evaluate<string[]>(lookupScript, keys, [requestId, Date.now(), drawEarliness(), LEASE_MS]);
    answers = keys.map((_, i) => ({ state: flat[2 * i] as ReadState, stored: flat[2 * i + 1] ?? '' }));
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
    return readWithoutRedis(keys, load);
  }
  return settleReads(requestId, keys, answers, policy, load);
}

/** Redis away: read the database, at most this many loads at once in a process; beyond it 503. */
const MAX_LOADS_WITHOUT_REDIS = 8;
let loadsWithoutRedis = 0;

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

/** Turns what a lookup (or an admission) answered into values: loads what this request leased, waits for others. */
export async function settleReads<T>(
  requestId: string,
  keys: readonly Key[],
  answers: readonly ReadAnswer[],
  policy: CachePolicy,
  load: Load<T>,
): Promise<Array<Found<T>>> {
  if (answers.some(({ state }) => state === 'away')) return readWithoutRedis(keys, load);
  const found = answers.map((answer) => foundInCache<T>(answer));
  const corrupt = new Set(answers.flatMap(({ stored }, i) => (stored !== '' && found[i] === undefined ? [i] : [])));
  if (corrupt.size > 0) await dropCorrupt(keys, answers, corrupt);
  await awaitOthers(keys, answers, found);

  const leased = answers.flatMap(({ state }, i) => (isOurs(state) && !corrupt.has(i) ? [i] : []));
  const missing = found.flatMap((entry, i) => (entry === undefined || leased.includes(i) ? [i] : []));
  if (missing.length === 0) return found as Array<Found<T>>;

  const startedAt = Date.now();
  // Where no fill follows that a floor could refuse, only the primary may be asked.
  const primary = !hasReplica() || missing.length > leased.length;
  try {
    const rows = await load(missing, primary);
    const loaded = new Map(missing.map((index, position) => [index, rows[position] as Loaded<T>]));
    const loadMs = Date.now() - startedAt;
    if (leased.length > 0) {
      await fill({ requestId, keys, leased, policy, startedAt, loadMs, primary, load }, loaded);
    }
    for (const [index, row] of loaded) found[index] = foundByLoad(row);
    return found as Array<Found<T>>;
  } catch (error) {
    await giveUp(
      requestId,
      leased.map((i) => keys[i] as Key),
    ).catch(ignoreEngine);
    return servedOn(found, missing, error);
  }
}

const isOurs = (state: ReadState): boolean => state === 'lease' || state === 'refresh';

/** Loader throws: nothing is cached, never a null marker; a stale value is served on inside its grace. */
function servedOn<T>(found: Array<Found<T> | undefined>, missing: number[], error: unknown): Array<Found<T>> {
  if (missing.some((i) => found[i] === undefined)) throw error;
  count('cache.served-stale');
  return (found as Array<Found<T>>).map((entry, i) =>
    entry.value === null || !missing.includes(i) ? entry : { ...entry, cache: 'stale' },
  );
}

/** Unreadable bytes, another codec's or damaged: removed if they still stand, and treated as a miss. */
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
  return cached && foundFrom<T>(cached, state === 'stale' || (state === 'refresh' && cached.softAt < Date.now()));
}

const foundFrom = <T>(cached: CachedValue, stale: boolean): Found<T> =>
  cached.value === undefined
    ? { value: null, reason: cached.reason, cache: 'null' }
    : { value: cached.value as T, reason: '', cache: stale ? 'stale' : 'hit' };

/** Another request loads it: look three times in 150 ms, then read the database without filling. */
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
