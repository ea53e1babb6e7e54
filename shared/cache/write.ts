import { randomUUID } from 'node:crypto';
import { hasReplica } from '../db.ts';
import { EngineError } from '../errors.ts';
import type { Key } from '../keys.ts';
import { deleteKeys, evaluate } from '../redis.ts';
import { count } from '../telemetry.ts';
import { beginWriteScript, endWriteScript, sweepScript } from './scripts.ts';
import { forgetFlights } from './single-flight.ts';

/** How writers keep the cache correct: one call runs the write and deletes the keys of the changed rows. */

/** Longer than a statement may still run after its client has given up. */
const TOMBSTONE_MS = 35_000;
/** Longer than the 30 s that a replica may be behind and still be read. */
export const FLOOR_MS = 60_000;

/** A floor that no row version reaches: the next fill must come from the primary. */
const PRIMARY_ONLY = Number.MAX_SAFE_INTEGER;
/** A young generation is loaded from the primary anyway. */
export const NO_FLOOR = '-';

/**
 * Deletes keys, which also ends their leases, and generations of lists, which ends all their pages. Call it after the
 * commit. Where replicas are used each key gets a floor: the next fill must come from the primary. Throws EngineError.
 */
export async function invalidate(keys: readonly Key[], generations: readonly Key[] = []): Promise<void> {
  forgetFlights();
  if (!hasReplica() || keys.length === 0) return deleteKeys([...keys, ...generations]);
  const floors = [...keys.map(() => PRIMARY_ONLY), ...generations.map(() => NO_FLOOR)];
  await evaluate(sweepScript, [...keys, ...generations], [FLOOR_MS, ...floors]);
}

/**
 * Runs a write, then deletes the keys of the changed rows in one request. Keys that are given as a list are also
 * deleted when the outcome is unknown, since the write may have been applied. `work` may add to `generations`. If the delete fails or the process ends
 * before it, cache-warm deletes the keys: it sweeps all rows changed since its last run. Throws what `work` throws.
 */
export async function writeThrough<T>(
  work: () => Promise<T>,
  changedKeys: readonly Key[] | ((result: T) => readonly Key[]),
  generations: readonly Key[] = [],
): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    const unknown = error instanceof EngineError && error.outcome === 'unknown';
    if (unknown && typeof changedKeys !== 'function') await invalidateWithRetries(changedKeys, generations);
    throw error;
  }
  await invalidateWithRetries(typeof changedKeys === 'function' ? changedKeys(result) : changedKeys, generations);
  return result;
}

/** A lost delete leaves old values in the cache until the next sweep. So the delete is tried again twice. */
const RETRY_PAUSES_MS = [60, 180];

async function invalidateWithRetries(keys: readonly Key[], generations: readonly Key[]): Promise<void> {
  for (const pause of RETRY_PAUSES_MS) {
    try {
      return await invalidate(keys, generations);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  await invalidate(keys, generations).catch(ignoreEngine);
}

/**
 * A write to a strict family (sessions, user versions, app records, the plugin map). It puts a tombstone into the keys
 * before it runs `work`. The tombstone lists all writers at work, so overlapping writers leave nothing stale. It lives
 * longer than a statement may run: also a writer that crashes leaves nothing stale. After an unknown outcome it stays
 * until its end. Redis is down, write route: throws EngineError (503 to the caller), and `work` does not run. Throws
 * what `work` throws.
 */
export async function writeStrict<T>(keys: readonly Key[], work: () => Promise<T>): Promise<T> {
  const { result, settle } = await writeStrictUntil(keys, work);
  await settle();
  return result;
}

/**
 * The same, but the caller ends the write: `settle` sends one request, or none without keys. A write that is never
 * settled ends with its tombstones.
 */
export async function writeStrictUntil<T>(
  keys: readonly Key[],
  work: () => Promise<T>,
): Promise<{ result: T; settle(): Promise<void> }> {
  if (keys.length === 0) return { result: await work(), settle: async () => {} };
  const writer = randomUUID().slice(0, 18);
  await evaluate(beginWriteScript, [...keys], [writer, TOMBSTONE_MS]);
  const settle = async (): Promise<void> => {
    forgetFlights();
    await endWrite(keys, writer).catch(ignoreEngine);
  };
  try {
    return { result: await work(), settle };
  } catch (error) {
    const unknown = error instanceof EngineError && error.outcome === 'unknown';
    if (unknown) forgetFlights();
    else await settle();
    throw error;
  }
}

const endWrite = (keys: readonly Key[], writer: string): Promise<unknown> =>
  evaluate(endWriteScript, [...keys], [writer]);

/**
 * For a cache write that failed after the real work succeeded: counts an EngineError and throws any other error. The
 * old entry ends by its TTL, or cache-warm deletes it.
 */
export function ignoreEngine(error: unknown): void {
  if (!(error instanceof EngineError)) throw error;
  count('cache.write-failed');
}
