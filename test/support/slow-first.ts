import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Takes half a minute or more on two cores. A lane that begins with these does not end with one worker alone. */
const SLOW = [
  'test/demo/demo.drill.test.ts',
  'test/cache/replicas.drill.test.ts',
  'test/portal/start.drill.test.ts',
  'test/session/races.drill.test.ts',
  'test/docs/first-change.drill.test.ts',
  'test/data/list-interleavings.drill.test.ts',
  'test/recharge/chaos.drill.test.ts',
  'test/hostile/faults.test.ts',
  'test/local/rebuild.test.ts',
  'test/uploads/store-failures.test.ts',
  'test/cache/interleavings.test.ts',
  'test/gateway/upstash-bounds.test.ts',
  'test/hostile/values.test.ts',
  'test/hostile/charges.test.ts',
  'test/recharge/exactly-once.test.ts',
];

const root = join(import.meta.dirname, '../..');
const missing = SLOW.filter((file) => !existsSync(join(root, file)));
if (missing.length > 0)
  throw new Error(`test/support/slow-first.ts names files that do not exist: ${missing.join(', ')}`);
const rankOf = ({ moduleId }: TestSpecification): number => SLOW.findIndex((file) => moduleId.endsWith(file));

/** Slow files first, the others as vitest sorts them. */
export class SlowFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const slow = sorted.filter((file) => rankOf(file) >= 0).sort((a, b) => rankOf(a) - rankOf(b));
    return [...slow, ...sorted.filter((file) => rankOf(file) < 0)];
  }
}
