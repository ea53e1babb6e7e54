import { type CachePolicy, type Found, type Load, readThrough } from '../../shared/cache/cache.ts';
import { EngineError } from '../../shared/errors.ts';
import { readKey } from './admission-call.ts';

/** Shared by the tests of reads: one key, and loaders with a fixed result. */
export const POLICY: CachePolicy = { freshSeconds: 60, graceSeconds: 60, nullSeconds: 20 };
export const key = readKey('one');

/** A loader that returns `value` and counts its calls. */
export const says = (value: unknown) => {
  const load = async (indexes: number[]) => {
    load.loads++;
    return indexes.map(() => ({ value, version: 1 }));
  };
  load.loads = 0;
  return load satisfies Load<unknown>;
};

export const fails: Load<unknown> = async () => {
  throw new EngineError('mysql', 'timeout', 'unknown');
};

export const read = async (load: Load<unknown>, policy = POLICY): Promise<Found<unknown>> =>
  (await readThrough([key], policy, load))[0] as Found<unknown>;

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
