import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { beforeAll, expect, test } from 'vitest';
import { testsByLane } from '../support/lanes.ts';
import { projectFolder } from '../support/package-template.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const files: Record<string, string> = {
  'test/a/alone.test.ts': "import { x } from '../../shared/x.ts';",
  'test/a/direct.test.ts': "import { freshRedis } from '../support/engines.ts';",
  'test/a/indirect.test.ts': "import {\n  type World,\n  startWorld,\n} from '../support/world.ts';",
  'test/a/bundles.test.ts': "export { bundleFolder } from '../support/bundles.ts';",
  'test/a/effect.test.ts': "import '../support/world.ts';",
  'test/a/late.test.ts': "await import('../support/world.ts');",
  'test/a/type.test.ts': "import type { World } from '../support/world.ts';",
  'test/a/killing.drill.test.ts': "import { startRedis } from '../../local/engines/engines.ts';",
  'test/a/zip.package.test.ts': "import { bundleFolder } from '../support/bundles.ts';",
  'test/support/world.ts': "import { startRedis } from '../../local/engines/engines.ts';",
  'test/support/engines.ts': '',
  'test/support/bundles.ts': '',
  'local/engines/engines.ts': '',
  'shared/x.ts': "import { y } from './y.ts';",
  'shared/y.ts': "import { x } from './x.ts';",
};

let lanes: ReturnType<typeof testsByLane>;
beforeAll(async () => {
  const folder = await temporaryFolder('lanes');
  for (const [name, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder.path, name)), { recursive: true });
    writeFileSync(join(folder.path, name), text);
  }
  lanes = testsByLane(folder.path);
  return () => folder.remove();
});

test('a test that reaches an engine or the bundles by any import is in the lane engines', () => {
  expect(lanes.engines).toEqual(
    ['bundles', 'direct', 'effect', 'indirect', 'late'].map((name) => `test/a/${name}.test.ts`),
  );
});

test('a test that reaches neither, or only their types, is a unit test', () => {
  expect(lanes.unit).toEqual(['test/a/alone.test.ts', 'test/a/type.test.ts']);
});

test('the file name decides about drills and packages', () => {
  expect(lanes.drills).toEqual(['test/a/killing.drill.test.ts']);
  expect(lanes.packages).toEqual(['test/a/zip.package.test.ts']);
});

test('each test file is in exactly one lane, and the lanes unit and engines have more than 30 files each', () => {
  const all = Object.values(testsByLane(projectFolder)).flat();
  expect(new Set(all).size).toBe(all.length);
  const { unit, engines } = testsByLane(projectFolder);
  expect([unit.length, engines.length].map((count) => count > 30)).toEqual([true, true]);
});
