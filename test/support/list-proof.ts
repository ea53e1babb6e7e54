import { appendFileSync } from 'node:fs';
import { type ListFamily, runLists } from './list-actors.ts';
import type { ListWorld } from './list-world.ts';

/** More runs: `INTERLEAVINGS=10 npx vitest run --project drills test/data/list-interleavings.drill.test.ts`. */
export const TIMES = Number(process.env.INTERLEAVINGS ?? 1);

/** Runs a family from seed `first` on. What was run is written to the file that a bench names. */
export async function proveLists(world: ListWorld, family: ListFamily, count: number, first = 1): Promise<string[]> {
  const before = world.counted();
  const wrong = await world.search(first, count * TIMES, (run) => runLists(run, family));
  const { runs, reads } = world.counted();
  const report = process.env.INTERLEAVINGS_REPORT;
  const row = { family, runs: runs - before.runs, reads: reads - before.reads, wrong: wrong.length };
  if (report) appendFileSync(report, `${JSON.stringify(row)}\n`);
  return wrong;
}
