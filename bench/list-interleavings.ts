import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The proof of lists in test/data, with five times as many runs as in the tests. */
export const suite = {
  name: 'list-interleavings',
  about: 'the interleaving proof of lists in at least 10 000 runs; takes half an hour',
  help: 'INTERLEAVINGS=<n> npm run bench -- list-interleavings: n times as many runs as in the tests (default 6)',
  run,
};

const TESTS = ['test/data/list-interleavings.drill.test.ts', 'test/data/list-replicas.test.ts'];

async function run(): Promise<object> {
  const folder = mkdtempSync(join(tmpdir(), 'miniapp-bench-lists-'));
  const report = join(folder, 'runs');
  try {
    const vitest = ['node_modules/vitest/vitest.mjs', 'run', '--project', 'engines', ...TESTS];
    const env = { INTERLEAVINGS: '6', ...process.env, INTERLEAVINGS_REPORT: report };
    const { status } = spawnSync(process.execPath, vitest, { env, stdio: ['ignore', 'inherit', 'inherit'] });
    const lines = readFileSync(report, 'utf8').trim().split('\n');
    const families = lines.map((line) => JSON.parse(line) as { runs: number; reads: number; wrong: number });
    const sum = (name: 'runs' | 'reads' | 'wrong') => families.reduce((total, family) => total + family[name], 0);
    return { families, runs: sum('runs'), reads: sum('reads'), wrong: sum('wrong'), passed: status === 0 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
