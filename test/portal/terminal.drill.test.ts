import { spawn } from 'node:child_process';
import { beforeAll, describe, expect, test } from 'vitest';
import { projectFolder } from '../support/package-template.ts';
import { portal, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

/** `script` of util-linux, which every Debian has, gives a command a terminal. */
let stack: TestStack;
let app: TestApp;
beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
});

/** Runs a command line in a shell with a terminal, and types `answer` when it asks. '\u0003' is Ctrl-C. */
function inTerminal(line: string, answer: string): Promise<{ code: number; text: string }> {
  return new Promise((resolve) => {
    const child = spawn('script', ['-qec', line, '/dev/null'], { cwd: projectFolder, env: process.env });
    let text = '';
    let isAnswered = false;
    child.stdout.on('data', (chunk) => {
      text += chunk;
      if (isAnswered || !text.includes('(y/N)')) return;
      isAnswered = true;
      child.stdin.write(answer);
    });
    child.on('close', (code) => resolve({ code: code ?? -1, text }));
  });
}
const command = (...more: string[]) =>
  ['node build/tool.mjs portal/main.ts app disable --app', app.appId, ...more].join(' ');
const isDisabled = async () => (await portalJson(['app', 'show', '--app', app.appId])).disabled;

describe('in a terminal', () => {
  test.each([
    ['Enter', '\r'],
    ['n', 'n\r'],
    ['Ctrl-C', '\u0003'],
    ['Ctrl-D', '\u0004'],
  ])('%s after the question changes nothing and ends with 1', async (_, typed) => {
    const run = await inTerminal(command(), typed);
    expect(run.text).toContain(`App ${app.appId} (test) will be refused`);
    expect(run).toMatchObject({ code: 1, text: expect.stringContaining('Nothing was changed.') });
    expect(await isDisabled()).toBe(false);
  });

  test('y does it', async () => {
    const run = await inTerminal(command(), 'y\r');
    expect(run).toMatchObject({ code: 0, text: expect.stringContaining('is disabled') });
    expect(await isDisabled()).toBe(true);
    await portalJson(['app', 'enable', '--app', app.appId]);
  });

  test('nothing is asked with --yes, or where input or output is no terminal: the summary is printed, and it acts', async () => {
    for (const line of [command('--yes'), `${command()} < /dev/null`, `${command()} | cat`]) {
      const run = await inTerminal(line, 'n\r');
      expect([line, run.code]).toEqual([line, 0]);
      expect(run.text).toContain('will be refused');
      expect(run.text).not.toContain('(y/N)');
      expect(await isDisabled()).toBe(true);
      await portalJson(['app', 'enable', '--app', app.appId]);
    }
  });

  test('a command of a script, without any terminal, acts and prints the summary on standard error', async () => {
    const run = await portal(['app', 'disable', '--app', app.appId, '--json']);
    expect(run).toMatchObject({
      code: 0,
      json: { disabled: true },
      stderr: expect.stringContaining('will be refused'),
    });
  });
});
