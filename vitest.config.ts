import { defineConfig } from 'vitest/config';

// A machine that runs the tests asks for a report that it need not parse.
const report = process.env.TEST_REPORT;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    globalSetup: ['test/support/global-setup.ts'],
    pool: 'forks',
    maxWorkers: 2,
    // A shared machine stalls now and then: there a test that failed is tried once more, and the report says which.
    retry: process.env.CI ? 1 : 0,
    reporters: report ? ['default', ['json', { outputFile: report }]] : ['default'],
    testTimeout: 30_000,
    hookTimeout: 60_000,
  },
});
