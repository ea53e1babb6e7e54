import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Family, runInterleaving } from '../support/cache-actors.ts';
import { type CacheWorld, forSeeds, startCacheWorld } from '../support/cache-world.ts';

/** The mutants of these scripts are found within 300 seeds. A longer search: `INTERLEAVINGS=10 npx vitest run ...`. */
const TIMES = Number(process.env.INTERLEAVINGS ?? 1);

/** Interleaves readers, writers, crashes, lost answers and ended leases at every await, over a real Redis and MySQL. */
describe('when all readers and writers of a key have ended', () => {
  let world: CacheWorld;
  beforeAll(async () => {
    world = await startCacheWorld();
  });
  afterAll(() => world.stop());

  async function violations(count: number, family: Family, faultShare = 0): Promise<string[]> {
    const wrong: string[] = [];
    await forSeeds(1, count * TIMES, async (seed) => {
      const what = await runInterleaving(world, seed, family, faultShare);
      if (what !== '') wrong.push(what);
    });
    return wrong;
  }

  test('the cached value is absent or what the database says', async () => {
    expect(await violations(300, 'plain')).toEqual([]);
  }, 600_000);

  test('the same is true with strict writers, also when a writer does not learn the outcome of its statement', async () => {
    expect(await violations(300, 'strict')).toEqual([]);
  }, 600_000);

  test('the same is true after the sweep when every writer dies before its delete', async () => {
    expect(await violations(60, 'dying')).toEqual([]);
  }, 600_000);

  test('the same is true with strict writers when one request in twenty loses its connection', async () => {
    expect(await violations(60, 'strict', 0.05)).toEqual([]);
  }, 600_000);

  test('every key expires when one request in twenty loses its connection', async () => {
    expect(await violations(60, 'plain', 0.05)).toEqual([]);
  }, 600_000);
});
