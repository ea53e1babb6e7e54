import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, onTestFinished, test } from 'vitest';
import { startStack } from '../../local/stack.ts';
import { bundleFolder } from '../support/bundles.ts';

const checkout = fileURLToPath(new URL('../..', import.meta.url));
/** One run takes 20 to 30 s; for ten of them it waits for locks to end. */
const PATIENCE_MS = 300_000;

/** Every row of the requirements except A8 (replicas and sentinels) and A12 (web page). */
const ROWS =
  'A1 A2 A3 A4 A5 A6 A7 A9 A10 A11 B1 B2 B3 B4 C1 C2 C3 C4 C5 C6 C7 D1 D2 D3 D4 D5 D6 E1 E2 E3 E4 E5 F1 F2 F3 F4 F5 F6 F7 G1 G2'.split(
    ' ',
  );

function demo(...argv: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME, NO_COLOR: '1' };
    execFile(
      process.execPath,
      ['--import', 'tsx', 'demo/main.ts', ...argv],
      { cwd: checkout, env, maxBuffer: 16 * 1024 * 1024 },
      (error, stdout, stderr) => resolve({ code: error ? Number(error.code) : 0, stdout, stderr }),
    );
  });
}

async function emptyFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'miniapp-demo-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

test(
  'the demo shows every row on a running server, and on its own server',
  async () => {
    const dataDirectory = await emptyFolder();
    const stack = await startStack({
      ...{ dataDirectory, distDirectory: bundleFolder(), kept: true, schedules: true },
      ...{ env: { LOG: 'off' }, log: () => {} },
    });
    onTestFinished(() => stack.stop());
    await stack.announce();

    const { stdout, code } = await demo('--data', dataDirectory);
    expect(stdout.split('\n').filter((line) => line.startsWith('✗'))).toEqual([]);
    expect(stdout).toContain(`the running server at ${stack.url}`);
    const printed = new Set([...stdout.matchAll(/^✓ ([A-G0-9 ]+?) {2}/gm)].flatMap(([, rows]) => rows?.split(' ')));
    expect(ROWS.filter((row) => !printed.has(row))).toEqual([]);
    expect(stdout.trimEnd().split('\n').at(-1)).toMatch(/^41 of 41 rows shown, (\d+) of \1 steps passed/);
    expect(stdout).toMatch(/ms · 1 Redis, 0 MySQL/);
    expect(code).toBe(0);
    // It prints no token, password or push secret.
    expect(stdout).not.toMatch(/[sp]1\.[A-Za-z0-9_-]{22}\.|demo-password-1|whsec_/);

    const own = await demo('--data', await emptyFolder(), '--only', 'f', '--json');
    const { rows, missing, failed } = JSON.parse(own.stdout.trimEnd().split('\n').at(-1) ?? '{}');
    expect({ code: own.code, rows, missing, failed }).toEqual({
      ...{ code: 0, rows: ROWS.filter((row) => /F/.test(row)), missing: [], failed: [] },
    });
  },
  PATIENCE_MS,
);

test('an unknown server and an unknown option are refused with a sentence', async () => {
  const dataDirectory = await emptyFolder();
  const unknown = await demo('--data', dataDirectory, '--url', 'http://127.0.0.1:9');
  expect(unknown).toMatchObject({ code: 2, stdout: '' });
  expect(unknown.stderr).toContain('name its folder with --data');
  const letter = await demo('--only', 'A,X');
  expect(letter).toMatchObject({ code: 2, stdout: '' });
  expect(letter.stderr).toContain('--only takes letters of A, B, C, D, E, F, G, not "X"');
  const wrong = await demo('--sped');
  expect(wrong).toMatchObject({ code: 2, stdout: '' });
  expect(wrong.stderr).toContain('See --help');
});
