import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { build } from '../../local/rebuild.ts';
import { setupFailure } from './setup-failure.ts';

/** Each run builds into its own folder: two runs at the same time do not share bundles, and no run reads `dist`. */
export async function setup(project: Pick<TestProject, 'provide' | 'onTestsRerun'>): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'miniapp-test-built-'));
  const bundles = join(folder, 'bundles');
  await build(bundles).catch((error: unknown) => {
    const help = 'Correct the source that is named above; "npm run build" says the same.';
    throw setupFailure('The tests run over the bundles of the functions:', error, help);
  });
  project.provide('bundles', bundles);
  project.onTestsRerun(() => build(bundles));
  return () => rm(folder, { recursive: true, force: true });
}
