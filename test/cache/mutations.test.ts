import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { beginWriteScript, endWriteScript, fillScript, lookupScript, sweepScript } from '../../shared/cache/scripts.ts';
import type { Script } from '../../shared/script.ts';
import { type Family, runInterleaving } from '../support/cache-actors.ts';
import { type CacheWorld, forSeeds, startCacheWorld } from '../support/cache-world.ts';
import { mutate } from '../support/mutant.ts';

/** Proves that the interleavings can fail: each entry breaks one rule of the scripts. `seed`: where the search begins. */
const MUTANTS: Array<{ what: string; family: Family; script: Script; from: string; to: string; seed?: number }> = [
  {
    what: 'a fill does not check its lease',
    family: 'plain',
    script: fillScript,
    from: 'if fit == 1 then',
    to: 'if true then stored = stored or ""',
  },
  {
    what: 'a null marker is written without a check of its lease',
    family: 'plain',
    script: fillScript,
    from: 'if fit == 1 then',
    to: `if fit == 1 or string.sub(value, 1, 1) == 'N' then stored = stored or ""`,
  },
  {
    what: 'a fill accepts the lease of another reader',
    family: 'plain',
    script: fillScript,
    from: 'if owner ~= id then return 0 end',
    to: 'if not owner then return 0 end',
    seed: 195,
  },
  {
    what: 'the sweep does not delete leases',
    family: 'dying',
    script: sweepScript,
    from: 'elseif stored then',
    to: "elseif stored and string.sub(stored, 1, 1) ~= 'L' then",
  },
  {
    what: 'a strict writer sets no tombstone',
    family: 'strict',
    script: beginWriteScript,
    from: "redis.call('SET', key, 'T' .. writers, 'PX', ARGV[2])",
    to: '',
    seed: 215,
  },
  {
    what: 'the first writer that ends removes the tombstone of all writers',
    family: 'strict',
    script: endWriteScript,
    from: 'if writer ~= ARGV[1] then',
    to: 'if false then',
    seed: 195,
  },
  {
    what: 'readers take a lease over a tombstone',
    family: 'strict',
    script: lookupScript,
    from: "if kind == 'T' then return 'bypass' end",
    to: '',
    seed: 215,
  },
];

describe('the interleavings find the fault when', () => {
  let world: CacheWorld;
  let undo = (): void => {};
  beforeAll(async () => {
    world = await startCacheWorld();
  });
  afterEach(() => undo());
  afterAll(() => world.stop());

  test.each(MUTANTS)(
    '$what',
    async ({ family, script, from, to, seed: first = 1 }) => {
      undo = mutate(script, from, to);
      const found: string[] = [];
      await forSeeds(first, 600, async (seed) => {
        if (found.length > 0) return;
        const what = await runInterleaving(world, seed, family).catch(String);
        if (what !== '') found.push(what);
      });
      expect(found[0]).toMatch(/^seed \d+: (?!a key)/);
    },
    120_000,
  );
});
