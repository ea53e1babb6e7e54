import { expect, test } from 'vitest';
import { NEVER_GONE } from '../../gateway/caller.ts';

test('Node does not warn when much work without a caller runs at the same time', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error): void => void warnings.push(warning);
  const work = Array.from({ length: 50 }, () => () => {});
  process.on('warning', note);
  for (const leave of work) NEVER_GONE.addEventListener('abort', leave);
  // Warnings are emitted after the code that causes them.
  await new Promise((resolve) => setTimeout(resolve, 20));
  for (const leave of work) NEVER_GONE.removeEventListener('abort', leave);
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
