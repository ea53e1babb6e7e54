import type { Key } from '../keys.ts';
import type { LocalCache } from '../local-cache.ts';
import { evaluate } from '../redis.ts';
import { count } from '../telemetry.ts';
import { fillScript, giveUpScript } from './scripts.ts';
import { encodeNullMarker, encodeValue } from './value.ts';
import { ignoreEngine } from './write.ts';

/** How long the values of a key family are cached. */
export interface CachePolicy {
  /** After this time the value is stale: one reader loads it again, the others still get it. */
  freshSeconds: number;
  /** How much longer a stale value may be served while MySQL fails. */
  graceSeconds: number;
  /** Lifetime of a null marker. */
  nullSeconds: number;
  /** L1: this process remembers values and null markers for at most 5 s. undefined: the family does not allow it. */
  local?: LocalCache<Found<unknown>>;
}

/** How a read was answered; sent as `x-cache`. */
type CacheResult = 'hit' | 'miss' | 'null' | 'stale';
export interface Found<T> {
  /** null: known not to exist. */
  value: T | null;
  /** Why the value is null, where the loader gave a reason; otherwise ''. */
  reason: string;
  cache: CacheResult;
}

/** The result of a loader for one key. */
export interface Loaded<T> {
  /** null: known not to exist. */
  value: T | null;
  /** Row version; 0 where rows have none. */
  version: number;
  /** Why it is absent; kept with the null marker. */
  reason?: string;
  /** Replaces the lifetimes of the policy: the cache entry ends together with the thing it describes. */
  liveSeconds?: number;
}

/** Loads the values of these indexes in one statement, in order. `fresh`: ask the primary, not a replica. */
export type Load<T> = (indexes: number[], fresh: boolean) => Promise<Array<Loaded<T>>>;

const FAILED_REFRESH_PAUSE_MS = 30_000;

const jittered = (seconds: number, spread: number): number =>
  Math.round(seconds * 1000 * (1 - spread + 2 * spread * Math.random()));

interface LeasedLoad<T> {
  leaseId: string;
  keys: readonly Key[];
  /** Indexes of the keys that this request leased. */
  leased: readonly number[];
  policy: CachePolicy;
  loadMs: number;
  /** Whether the primary was asked, or a replica that may be behind. */
  primary: boolean;
  load: Load<T>;
}

/**
 * Puts loaded values into the cache, under the leases of this request. Where the cache refuses a value of a replica,
 * the value is loaded again from the primary, and replaced in `loaded`.
 */
export async function fill<T>(work: LeasedLoad<T>, loaded: Map<number, Loaded<T>>): Promise<void> {
  const fits = await storeFills(work, work.leased, loaded, work.primary);
  if (fits.includes(0)) count('cache.lease-lost');
  if (work.primary) return;
  // Not 1: a write came between, and the replica may not have it yet. This reader has to see that write.
  const behind = work.leased.filter((_, position) => fits[position] !== 1);
  if (behind.length === 0) return;
  count('cache.replica-behind', behind.length);
  const again = await work.load(behind, true);
  behind.forEach((index, position) => void loaded.set(index, again[position] as Loaded<T>));
  await storeFills(work, behind, loaded, true);
}

/** Returns the answers of fillScript; empty if Redis did not answer. */
async function storeFills<T>(
  { leaseId, keys, policy, loadMs }: LeasedLoad<T>,
  indexes: readonly number[],
  loaded: Map<number, Loaded<T>>,
  primary: boolean,
): Promise<number[]> {
  const args = indexes.flatMap((index) => fillArguments(loaded.get(index) as Loaded<T>, policy, loadMs, { primary }));
  const targets = indexes.map((index) => keys[index] as Key);
  return evaluate<number[]>(fillScript, targets, [leaseId, ...args]).catch((error: unknown): number[] => {
    ignoreEngine(error);
    return [];
  });
}

/**
 * Value, TTL in ms and version, as fillScript takes them. `spread` makes TTLs random, by a tenth by default, so that
 * keys that were filled together do not end together.
 */
export function fillArguments<T>(
  row: Loaded<T>,
  policy: CachePolicy,
  loadMs: number,
  { primary, spread = 0.1 }: { primary: boolean; spread?: number },
): [value: string, ttlMs: number, version: string | number] {
  if (row.value === null) {
    const ttlMs = row.liveSeconds ? row.liveSeconds * 1000 : jittered(policy.nullSeconds, spread);
    const absent = encodeNullMarker({ freshMs: ttlMs, loadMs, version: row.version }, row.reason);
    return [absent, ttlMs, primary ? 'P' : ''];
  }
  const freshMs = row.liveSeconds ? row.liveSeconds * 1000 : jittered(policy.freshSeconds, spread);
  const value = encodeValue(row.value, { freshMs, loadMs, version: row.version });
  const lifeMs = row.liveSeconds ? freshMs : freshMs + policy.graceSeconds * 1000;
  return [value, lifeMs, primary ? 'P' : row.version];
}

/** After a failed load: removes the leases, and lets a stale value be served for 30 s more. Throws EngineError. */
export async function giveUp(leaseId: string, keys: Key[]): Promise<void> {
  if (keys.length > 0) await evaluate(giveUpScript, keys, [leaseId, FAILED_REFRESH_PAUSE_MS]);
}
