import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { setup } from '../support/bundles-setup.ts';

/** Does what a run of the tests does before its first test; returns the folder of the bundles. */
async function begin(): Promise<{ folder: string; end(): Promise<void>; rerun(): Promise<void> }> {
  let folder = '';
  let rerun = async (): Promise<void> => {};
  const end = await setup({
    provide: (name, value) => {
      if (name === 'bundles') folder = String(value);
    },
    onTestsRerun: (work) => {
      rerun = async () => void (await work([] as never));
    },
  });
  return { folder, end, rerun };
}

test('each run of the tests builds its own bundles, and none reads dist/', async () => {
  const [one, other] = await Promise.all([begin(), begin()]);
  onTestFinished(() => other.end());
  expect(one.folder).not.toBe(other.folder);
  expect([one.folder, other.folder]).not.toContain(join(process.cwd(), 'dist'));
  const built = readFileSync(join(one.folder, 'business.mjs'), 'utf8');

  // In watch mode a run builds again before its tests run again.
  writeFileSync(join(one.folder, 'business.mjs'), 'stale');
  await one.rerun();
  expect(readFileSync(join(one.folder, 'business.mjs'), 'utf8')).toBe(built);

  await one.end();
  expect(readdirSync(other.folder)).toContain('authorizer.mjs');
  rmSync(other.folder, { recursive: true });
});
