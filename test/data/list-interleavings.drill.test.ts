import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ListFamily } from '../support/list-actors.ts';
import { proveLists } from '../support/list-proof.ts';
import { type ListWorld, startListWorld } from '../support/list-world.ts';

/** Every request to Redis and MySQL is a switch point, before it is served and before its answer returns. */
describe('no page of a list shows what a write has ended, and no walk shows a record twice or leaves one out, when', () => {
  let world: ListWorld;
  beforeAll(async () => {
    world = await startListWorld();
  });
  afterAll(() => world.stop());

  // The rarest fault of operators' moves is found soon from the seed where that family begins.
  const RUNS: Array<[what: string, ListFamily, count: number, first?: number]> = [
    ['users write their records', 'plain', 800],
    ['operators move records from list to list', 'moves', 400, 401],
    ['other tools write, writers die, and the sweep follows', 'dying', 300],
    ['requests are sent again after a lost answer', 'repeats', 200],
    ['one request in twenty loses its connection', 'faults', 150],
    ['the database loses its last write', 'failover', 100],
    ['cache-warm loads first pages', 'warming', 40],
  ];
  test.each(RUNS)(
    '%s',
    async (_, family, count, first = 1) => {
      expect(await proveLists(world, family, count, first)).toEqual([]);
    },
    3_600_000,
  );
});
