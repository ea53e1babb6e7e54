import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { costsOfCalls } from '../../bench/cost.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';

let world: AdmissionWorld;
beforeAll(async () => {
  world = await startAdmissionWorld();
});
afterAll(() => world.stop());

/** Bytes and commands by the name of the row, from the table of docs/performance.md. */
function documentedCosts(): Map<string, { bytes: number; commands: number }> {
  const [, section = ''] = readFileSync('docs/performance.md', 'utf8').split('## What a call costs Redis\n');
  const rows = section.split('\n## ')[0]?.matchAll(/^\| ([^|]+) \| (\d+) \| (\d+) \| [\d.]+ \|$/gm) ?? [];
  return new Map(
    [...rows].map(([, what = '', bytes, commands]) => [what, { bytes: Number(bytes), commands: Number(commands) }]),
  );
}

test('a call, a session, a rule and an id cost Redis the commands and bytes of the documented table', async () => {
  const documented = documentedCosts();
  const measured = await costsOfCalls(world.redis, 1_000);
  expect(measured.length).toBeGreaterThanOrEqual(6);
  for (const { what, commands, 'bytes that stay': bytes } of measured) {
    const row = documented.get(what);
    expect(row, `no row "${what}"`).toBeDefined();
    expect([what, Math.round(commands)]).toEqual([what, row?.commands]);
    // Memory is given out in steps: at 1 000 calls a step of 64 KiB is 66 bytes a call.
    expect(bytes, what).toBeLessThanOrEqual(1.5 * (row?.bytes ?? 0) + 70);
  }
});
