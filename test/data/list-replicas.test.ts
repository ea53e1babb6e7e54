import { afterAll, beforeAll, expect, test } from 'vitest';
import { proveLists, TIMES } from '../support/list-proof.ts';
import { type ListWorld, startListWorld } from '../support/list-world.ts';

/** As test/data/list-interleavings.drill.test.ts, with a replica from which old generations are loaded. */
let world: ListWorld;
beforeAll(async () => {
  world = await startListWorld({ replica: true });
});
afterAll(() => world.stop());

test('no page of a list shows what a write has ended when the replica is behind', async () => {
  expect(await proveLists(world, 'replicas', 100)).toEqual([]);
  // Without reads of the replica the test would show nothing.
  expect(world.replicaReads()).toBeGreaterThan(25 * TIMES);
}, 3_600_000);
