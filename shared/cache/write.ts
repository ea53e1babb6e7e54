import { randomUUID } from 'node:crypto';
import { hasReplica } from '../db.ts';
import { EngineError } from '../errors.ts';
import type { Key } from '../keys.ts';
import { deleteKeys, evaluate } from '../redis.ts';
import { count } from '../telemetry.ts';
import { beginWriteScript, endWriteScript, sweepScript } from './scripts.ts';
import { forgetFlights } from './single-flight.ts';

/** How writers keep the cache true: a write and the keys it spoils are one call. */

/** Longer than any statement that a client gave up on may still run. */
const TOMBSTONE_MS = 35_000;
/** Longer than the 30 s that a replica may be behind and still be read. */
export const FLOOR_MS = 60_000;

/** No row of a replica reaches it: the next fill comes from the primary. */
const PRIMARY_ONLY = Number.MAX_SAFE_INTEGER;

/**
 * Deletes keys, which also voids every lease in flight. Call it after the commit. Under replicas each key leaves a
 * floor instead of nothing: the version that was written, where it is known, is the least that a replica must show.
 */
export async function forget(keys: readonly Key[], versions: readonly number[] = []): Promise<void> {
  forgetFlights();
  if (!hasReplica() || keys.length === 0) return deleteKeys(keys);
  await evaluate(sweepScript, [...keys], [FLOOR_MS, ...keys.map((_, index) => versions[index] ?? PRIMARY_ONLY)]);
}

/**
 * The write and the keys it spoils are one call: commit, then delete them all in one request; also when the outcome is
 * unknown, since it may have been applied. A delete that fails or never comes is made up for by cache-warm, which
 * sweeps the rows changed since its last run.
 */
export async function writeThrough<T>(
  work: () => Promise<T>,
  spoiled: readonly Key[] | ((result: T) => readonly Key[]),
): Promise<T> {
  let result: T;
  try {
    result = await work();
  } catch (error) {
    const unknown = error instanceof EngineError && error.outcome === 'unknown';
    if (unknown && typeof spoiled !== 'function') await forgetPatiently(spoiled);
    throw error;
  }
  await forgetPatiently(typeof spoiled === 'function' ? spoiled(result) : spoiled);
  return result;
}

/** Until the next sweep a lost delete means old values, so a Redis that stalled for a moment is asked again. */
const RETRY_PAUSES_MS = [60, 180];

async function forgetPatiently(keys: readonly Key[]): Promise<void> {
  for (const pause of RETRY_PAUSES_MS) {
    try {
      return await forget(keys);
    } catch (error) {
      if (!(error instanceof EngineError)) throw error;
      await new Promise((resolve) => setTimeout(resolve, pause));
    }
  }
  await forget(keys).catch(ignoreEngine);
}

/**
 * For strict families (sessions, permissions, app records): a tombstone that holds the set of its writers stands
 * before the transaction, so that overlapping or dying writers leave nothing stale. It outlives any statement; after
 * an unknown outcome it is left to end by itself. Redis away: the write is refused (EngineError), nothing changes.
 */
export async function writeStrict<T>(keys: readonly Key[], work: () => Promise<T>): Promise<T> {
  const writer = randomUUID().slice(0, 18);
  await evaluate(beginWriteScript, [...keys], [writer, TOMBSTONE_MS]);
  let result: T;
  try {
    result = await work();
  } catch (error) {
    forgetFlights();
    const unknown = error instanceof EngineError && error.outcome === 'unknown';
    if (!unknown) await endWrite(keys, writer).catch(ignoreEngine);
    throw error;
  }
  forgetFlights();
  await endWrite(keys, writer).catch(ignoreEngine);
  return result;
}

const endWrite = (keys: readonly Key[], writer: string): Promise<unknown> =>
  evaluate(endWriteScript, [...keys], [writer]);

/** A cache write that failed is made up for by its TTL and by cache-warm; what the caller asked for stands. */
export function ignoreEngine(error: unknown): void {
  if (!(error instanceof EngineError)) throw error;
  count('cache.write-failed');
}
