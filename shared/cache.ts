import { randomUUID } from 'node:crypto';
import { fillScript, giveUpScript, lookupScript } from './cache-scripts.ts';
import { ignoreEngine } from './cache-write.ts';
import { type CachedValue, decodeValue, encodeAbsent, encodeValue } from './cached-value.ts';
import { hasReplica } from './db.ts';
import { AppError, EngineError } from './errors.ts';
import type { Key } from './keys.ts';
import { batch, deleteKeys, evaluate } from './redis.ts';
import { count } from './telemetry.ts';

/**
 * Cache-aside with leases. A miss leaves a lease in the key, a fill lands only while its lease stands, and any delete
 * takes the lease away: an invalidation always wins over a load that began before it, for values and null markers
 * alike (row A7). Nothing runs after the answer.
 */
export interface CachePolicy {
  /** After this one reader refreshes, the others are served on. */
  freshSeconds: number;
  /** How much longer a stale value may be served while MySQL fails. */
  graceSeconds: number;
  nullSeconds: number;
}

export type ReadState = 'hit' | 'stale' | 'refresh' | 'lease' | 'wait' | 'bypass' | 'none' | 'away' | 'plain';
export interface ReadAnswer {
  state: ReadState;
  stored: string;
}

/** For what nobody looked up: it is read from the primary and fills nothing. */
export const NOT_READ: ReadAnswer = { state: 'bypass', stored: '' };

/** A row as a loader found it. null: known not to exist. */
export interface Loaded<T> {
  value: T | null;
  /** Row version; 0 where rows have none. */
  version: number;
  /** Why it is absent, kept with the null marker. */
  reason?: string;
  /** Overrides the policy's lifetimes: what is cached must end with what it tells of. */
  liveSeconds?: number;
}

/** How a read was answered; sent as `x-cache`. */
export type CacheResult = 'hit' | 'miss' | 'null' | 'stale';
export interface Found<T> {
  /** null: known not to exist. */
  value: T | null;
  reason: string;
  cache: CacheResult;
}

/** Loads what is missing, in one statement for all. `fresh`: ask the primary, no replica. */
export type Load<T> = (indexes: number[], fresh: boolean) => Promise<Array<Loaded<T>>>;

export const LEASE_MS = 5_000;
const WAIT_STEPS_MS = [20, 45, 85];
const FAILED_REFRESH_PAUSE_MS = 30_000;

/** XFetch: the longer a load takes and the nearer the end, the likelier a reader refreshes early. */
export const drawEarliness = (): number => -Math.log(1 - Math.random());

const jittered = (seconds: number, spread: number): number =>
  Math.round(seconds * 1000 * (1 - spread + 2 * spread * Math.random()));

/** Reads through the cache where no admission rides along: at most 2 requests to Redis and 1 load. */
export async function readThrough<T>(keys: Key[], policy: CachePolicy, load: Load<T>): Promise<Array<Found<T>>> {
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
  const now = Date.now();
  const found: Array<Found<T> | undefined> = answers.map((answer) => foundInCache<T>(answer));
  const corrupt = answers.flatMap(({ state, stored }, i) =>
    stored && !decodeValue(stored) && state !== 'none' ? [i] : [],
  );
  if (corrupt.length > 0) await deleteKeys(corrupt.map((i) => keys[i] as Key)).catch(ignoreEngine);
  await awaitOthers(keys, answers, found);

  const leased = answers.flatMap(({ state }, i) => (isOurs(state) && !corrupt.includes(i) ? [i] : []));
  const missing = found.flatMap((entry, i) => (entry === undefined || leased.includes(i) ? [i] : []));
  if (missing.length === 0) return found as Array<Found<T>>;

  const startedAt = Date.now();
  const primary = !hasReplica() || answers.some(({ state }) => state === 'bypass' || state === 'wait');
  try {
    const loaded = await load(missing, primary);
    const byIndex = new Map(missing.map((index, position) => [index, loaded[position] as Loaded<T>]));
    const loadMs = Date.now() - startedAt;
    if (leased.length > 0) await fill({ requestId, keys, leased, policy, loadMs, now }, byIndex, primary, load);
    for (const [index, row] of byIndex) found[index] = foundByLoad(row);
    return found as Array<Found<T>>;
  } catch (error) {
    // Loader throws: nothing is cached, never a null marker; a stale value is served on inside its grace.
    await giveUp(
      requestId,
      leased.map((i) => keys[i] as Key),
    ).catch(ignoreEngine);
    if (missing.some((i) => found[i] === undefined)) throw error;
    count('cache.served-stale');
    return (found as Array<Found<T>>).map((entry) => (entry.value === null ? entry : { ...entry, cache: 'stale' }));
  }
}

const isOurs = (state: ReadState): boolean => state === 'lease' || state === 'refresh';

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
    await new Promise((resolve) => setTimeout(resolve, step * (0.8 + 0.4 * Math.random())));
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

interface Filling {
  requestId: string;
  keys: readonly Key[];
  leased: number[];
  policy: CachePolicy;
  loadMs: number;
  now: number;
}

/** Puts what was loaded into the cache. What a replica gave and the cache did not take is asked of the primary. */
async function fill<T>(filling: Filling, loaded: Map<number, Loaded<T>>, primary: boolean, load: Load<T>) {
  const fits = await land(filling, filling.leased, loaded, primary);
  if (fits.includes(0)) count('cache.lease-lost');
  if (primary) return;
  // The replica may be behind a write that this reader has to see, be it below the floor or the end of the lease.
  const behind = filling.leased.filter((_, position) => fits[position] !== 1);
  if (behind.length === 0) return;
  count('cache.replica-behind');
  const again = await load(behind, true);
  behind.forEach((index, position) => {
    loaded.set(index, again[position] as Loaded<T>);
  });
  await land(filling, behind, loaded, true);
}

/** The fill script's answers; empty when Redis gave none. */
async function land<T>(filling: Filling, indexes: number[], loaded: Map<number, Loaded<T>>, primary: boolean) {
  const { requestId, keys, policy, loadMs, now } = filling;
  const args = indexes.flatMap((index) =>
    fillArguments(loaded.get(index) as Loaded<T>, policy, loadMs, now, { primary }),
  );
  const targets = indexes.map((index) => keys[index] as Key);
  return evaluate<number[]>(fillScript, targets, [requestId, ...args]).catch((error: unknown): number[] => {
    ignoreEngine(error);
    return [];
  });
}

/** Value, TTL ms and version, as the fill script takes them. Every TTL is spread, by a tenth unless more is asked. */
export function fillArguments<T>(
  row: Loaded<T>,
  policy: CachePolicy,
  loadMs: number,
  now: number,
  { primary, spread = 0.1 }: { primary: boolean; spread?: number },
) {
  if (row.value === null) {
    const ttlMs = row.liveSeconds ? row.liveSeconds * 1000 : jittered(policy.nullSeconds, spread);
    const absent = encodeAbsent({ softAt: now + ttlMs, loadMs, version: row.version }, row.reason);
    return [absent, ttlMs, primary ? 'P' : ''];
  }
  const freshMs = row.liveSeconds ? row.liveSeconds * 1000 : jittered(policy.freshSeconds, spread);
  const value = encodeValue(row.value, { softAt: now + freshMs, loadMs, version: row.version });
  const lifeMs = row.liveSeconds ? freshMs : freshMs + policy.graceSeconds * 1000;
  return [value, lifeMs, primary ? 'P' : row.version];
}

async function giveUp(requestId: string, keys: Key[]): Promise<void> {
  if (keys.length > 0) await evaluate(giveUpScript, keys, [requestId, Date.now(), FAILED_REFRESH_PAUSE_MS]);
}

/** Throws NOT_FOUND for what is known not to exist. */
export function present<T>(found: Found<T>): T {
  if (found.value === null) throw new AppError('NOT_FOUND');
  return found.value;
}
