import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Family, runInterleaving } from '../support/cache-actors.ts';
import { type CacheWorld, forSeeds, startCacheWorld } from '../support/cache-world.ts';

/** Readers, writers, crashes, lost answers and ended leases meet at every await, over a real Redis and a real MySQL. */
describe('whoever meets at a key, after quiet', () => {
  let world: CacheWorld;
  beforeAll(async () => {
    world = await startCacheWorld();
  });
  afterAll(() => world.stop());

  async function wrongOnes(count: number, family: Family, faultShare = 0): Promise<string[]> {
    const wrong: string[] = [];
    await forSeeds(1, count, async (seed) => {
      const what = await runInterleaving(world, seed, family, faultShare);
      if (what !== '') wrong.push(what);
    });
    return wrong;
  }

  test('the cached value is absent or what the database says, in hundreds of interleavings', async () => {
    expect(await wrongOnes(800, 'plain')).toEqual([]);
  }, 120_000);

  test('the same under strict writers, of which some never learn what became of their statement', async () => {
    expect(await wrongOnes(1_200, 'strict')).toEqual([]);
  }, 120_000);

  test('the same where every writer dies before its delete, once the sweep has found the row', async () => {
    expect(await wrongOnes(200, 'dying')).toEqual([]);
  }, 120_000);

  test('the same when one request in twenty loses its connection', async () => {
    expect(await wrongOnes(200, 'strict', 0.05)).toEqual([]);
  }, 120_000);

  test('no key is without an end when one request in twenty loses its connection', async () => {
    expect(await wrongOnes(200, 'plain', 0.05)).toEqual([]);
  }, 120_000);
});
