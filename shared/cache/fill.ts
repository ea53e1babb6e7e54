import type { Key } from '../keys.ts';
import type { LocalCache } from '../local-cache.ts';
import { evaluate } from '../redis.ts';
import { count } from '../telemetry.ts';
import { fillScript, giveUpScript } from './scripts.ts';
import { encodeAbsent, encodeValue } from './value.ts';
import { ignoreEngine } from './write.ts';

/** How what was loaded comes into the cache: under its lease, or not at all. */
export interface CachePolicy {
  /** After this one reader refreshes, the others are served on. */
  freshSeconds: number;
  /** How much longer a stale value may be served while MySQL fails. */
  graceSeconds: number;
  nullSeconds: number;
  /** L1, for families that allow it: what this process remembers for at most 5 s. Null markers too. */
  local?: LocalCache<Found<unknown>>;
}

/** How a read was answered; sent as `x-cache`. */
type CacheResult = 'hit' | 'miss' | 'null' | 'stale';
export interface Found<T> {
  /** null: known not to exist. */
  value: T | null;
  reason: string;
  cache: CacheResult;
}

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

/** Loads what is missing, in one statement for all. `fresh`: ask the primary, no replica. */
export type Load<T> = (indexes: number[], fresh: boolean) => Promise<Array<Loaded<T>>>;

const FAILED_REFRESH_PAUSE_MS = 30_000;

const jittered = (seconds: number, spread: number): number =>
  Math.round(seconds * 1000 * (1 - spread + 2 * spread * Math.random()));

interface LeasedLoad<T> {
  requestId: string;
  keys: readonly Key[];
  /** Indexes of the keys that this request leased. */
  leased: readonly number[];
  policy: CachePolicy;
  startedAt: number;
  loadMs: number;
  /** Whether the primary was asked, or a replica that may be behind. */
  primary: boolean;
  load: Load<T>;
}

/** Puts what was loaded into the cache. What a replica gave and the cache did not take is asked of the primary. */
export async function fill<T>(work: LeasedLoad<T>, loaded: Map<number, Loaded<T>>): Promise<void> {
  const fits = await land(work, work.leased, loaded, work.primary);
  if (fits.includes(0)) count('cache.lease-lost');
  if (work.primary) return;
  // The replica may be behind a write that this reader has to see, be it below the floor or the end of the lease.
  const behind = work.leased.filter((_, position) => fits[position] !== 1);
  if (behind.length === 0) return;
  count('cache.replica-behind', behind.length);
  const again = await work.load(behind, true);
  behind.forEach((index, position) => void loaded.set(index, again[position] as Loaded<T>));
  await land(work, behind, loaded, true);
}

/** The fill script's answers; empty when Redis gave none. */
async function land<T>(
  { requestId, keys, policy, loadMs, startedAt }: LeasedLoad<T>,
  indexes: readonly number[],
  loaded: Map<number, Loaded<T>>,
  primary: boolean,
): Promise<number[]> {
  const args = indexes.flatMap((index) =>
    fillArguments(loaded.get(index) as Loaded<T>, policy, loadMs, startedAt, { primary }),
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
): [value: string, ttlMs: number, version: string | number] {
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

/** The load failed: leases are handed back, a stale value is served on for a while. */
export async function giveUp(requestId: string, keys: Key[]): Promise<void> {
  if (keys.length > 0) await evaluate(giveUpScript, keys, [requestId, Date.now(), FAILED_REFRESH_PAUSE_MS]);
}
