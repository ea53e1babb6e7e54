import { type CachePolicy, readThrough } from '../../shared/cache/cache.ts';
import { readKey } from './admission-call.ts';
import { workTogether } from './process-work.ts';

const POLICY: CachePolicy = { freshSeconds: 60, graceSeconds: 60, nullSeconds: 20 };

/** One of 8 processes: 125 parallel reads of a key that is not cached. */
await workTogether(async () => {
  let loads = 0;
  const read = () =>
    readThrough([readKey('stampede')], POLICY, async () => {
      loads++;
      await new Promise((resolve) => setTimeout(resolve, 20));
      return [{ value: 'loaded', version: 1 }];
    });
  const found = await Promise.all(Array.from({ length: 125 }, read));
  return { loads, values: found.map(([first]) => first?.value) };
});
