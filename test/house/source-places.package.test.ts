import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bundleFolder } from '../support/bundles.ts';

/** A project with nothing but the command and the bundles. */
let project: string;
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'miniapp-places-'));
  cpSync('build/source-places.mjs', join(project, 'build/source-places.mjs'));
  cpSync(bundleFolder(), join(project, 'dist'), { recursive: true });
});
afterAll(() => rmSync(project, { recursive: true }));

const places = (input: string, ...argv: string[]) =>
  spawnSync(process.execPath, [join(project, 'build/source-places.mjs'), ...argv], { input, encoding: 'utf8' });

test('places in log lines of minified bundles become those of the source, other text stays', () => {
  const text = readFileSync(join(project, 'dist/login.mjs'), 'utf8');
  const lines = text.slice(0, text.indexOf('PROOF_REQUIRED')).split('\n');
  const at = `/var/task/dist/login.mjs:${lines.length}:${(lines.at(-1) ?? '').length}`;
  const line = `{"code":"INTERNAL","stack":["at f (file://${at})","at node:internal/x:1:2"],"place":"${at}"}`;
  const { stdout, status } = places(`${line}\nSTART RequestId: 1\n`);
  expect(status).toBe(0);
  expect(stdout).toMatch(/"at f \(shared\/[\w/-]+\.ts:\d+:\d+\)","at node:internal\/x:1:2"\],"place":"shared\//);
  expect(stdout).toContain('START RequestId: 1');
});

test('without a build it says what to do, and --help describes it', () => {
  expect(places('', '--help')).toMatchObject({ status: 0, stdout: expect.stringContaining('npm run -s places < LOG') });
  expect(places('', '--hlep').status).toBe(2);
  rmSync(join(project, 'dist'), { recursive: true });
  expect(places('x')).toMatchObject({ status: 1, stderr: expect.stringContaining('npm run build') });
});
