import { defineConfig } from 'vitest/config';
import { type Lane, testsByLane } from './test/support/lanes.ts';
import { SlowFirst } from './test/support/slow-first.ts';

// CI asks for a report that needs no parsing.
const report = process.env.TEST_REPORT;
const tests = testsByLane(import.meta.dirname);
const bundles = 'test/support/bundles-setup.ts';
const engines = 'test/support/engines-setup.ts';

const lane = (name: Lane, globalSetup: string[]) => ({
  extends: true as const,
  test: { name, include: tests[name], globalSetup },
});

export default defineConfig({
  test: {
    projects: [
      lane('unit', []),
      lane('engines', [bundles, engines]),
      lane('drills', [bundles, engines]),
      lane('packages', [bundles]),
    ],
    sequence: { sequencer: SlowFirst },
    pool: 'forks',
    isolate: false,
    // Fewer collections of young objects: 3 % less CPU time.
    execArgv: ['--max-semi-space-size=64'],
    setupFiles: ['test/support/fresh-file.ts'],
    // One more than the two cores of a small CI machine: some tests wait for engines or for time.
    maxWorkers: 3,
    // Node loads the bundles by itself: Vite would transform a megabyte of minified code for each test file.
    server: { deps: { external: [/\/bundles\/[\w-]+\.mjs/] } },
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    // A limit for a test that hangs. No test measures itself by it.
    testTimeout: 120_000,
    hookTimeout: 120_000,
  },
});
