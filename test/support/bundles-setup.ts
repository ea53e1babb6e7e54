import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { build } from '../../local/rebuild.ts';

/** Builds into a folder of the run's own: two runs side by side do not touch each other's bundles, and none reads `dist`. */
export async function setup(project: Pick<TestProject, 'provide' | 'onTestsRerun'>): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'miniapp-test-built-'));
  const bundles = join(folder, 'bundles');
  await build(bundles);
  project.provide('bundles', bundles);
  project.onTestsRerun(() => build(bundles));
  return () => rm(folder, { recursive: true, force: true });
}
