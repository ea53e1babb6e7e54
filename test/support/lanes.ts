import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * The four groups of test files. `*.drill.test.ts` starts the whole product as processes, kills engines, or runs many seeds;
 * `*.package.test.ts` checks what is deployed. Of the others, those that import an engine or the bundles are `engines`,
 * the rest is `unit`. The imports of a file decide, so a new test needs no entry in a list.
 */
export type Lane = 'unit' | 'engines' | 'drills' | 'packages';

/** A file that imports one of these, directly or not, needs the global set-up, which starts engines and builds. */
const NEEDS_SETUP = ['local/engines/engines.ts', 'test/support/engines.ts', 'test/support/bundles.ts'];

/** All test files below `root`, relative to it. */
export function testsByLane(root: string): Record<Lane, string[]> {
  const found: Record<Lane, string[]> = { unit: [], engines: [], drills: [], packages: [] };
  const needs = needsSetup(root);
  for (const name of readdirSync(join(root, 'test'), { recursive: true, encoding: 'utf8' }).sort()) {
    if (!name.endsWith('.test.ts')) continue;
    const file = join('test', name).replaceAll('\\', '/');
    found[laneOf(file, needs)].push(file);
  }
  return found;
}

/** The lane of one file below `root`. */
export const laneIn = (root: string, file: string): Lane => laneOf(file, needsSetup(root));

function laneOf(file: string, needs: (file: string) => boolean): Lane {
  if (file.endsWith('.drill.test.ts')) return 'drills';
  if (file.endsWith('.package.test.ts')) return 'packages';
  return needs(file) ? 'engines' : 'unit';
}

function needsSetup(root: string): (file: string) => boolean {
  const known = new Map<string, string[]>();
  const importsOf = (file: string): string[] => {
    const imports = known.get(file) ?? readImports(root, file);
    known.set(file, imports);
    return imports;
  };
  return (file) => {
    const seen = new Set([file]);
    for (const next of seen) {
      if (NEEDS_SETUP.includes(next)) return true;
      for (const imported of importsOf(next)) seen.add(imported);
    }
    return false;
  };
}

/** Files of the project that a file imports when it runs. An `import type` imports no code. */
function readImports(root: string, file: string): string[] {
  if (!existsSync(join(root, file))) return [];
  const text = readFileSync(join(root, file), 'utf8');
  const fixed = text.matchAll(/^(?:import|export)\s(?!type\s)[^'"]*?'(\.[^']+\.ts)'/gm);
  const dynamic = text.matchAll(/\bimport\(\s*'(\.[^']+\.ts)'/g);
  return [...fixed, ...dynamic].map(([, name = '']) => join(dirname(file), name).replaceAll('\\', '/'));
}
