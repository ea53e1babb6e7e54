import { type CachePolicy, type Found, type Load, readThrough } from '../../shared/cache/cache.ts';
import { EngineError } from '../../shared/errors.ts';
import { readKey } from './admission-call.ts';

/** What tests of reads have in common: one key, and loaders that say what they are told. */
export const POLICY: CachePolicy = { freshSeconds: 60, graceSeconds: 60, nullSeconds: 20 };
export const key = readKey('one');

/** A loader that says `value`, and counts how often it was asked. */
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
