import { execFileSync, spawn } from 'node:child_process';
import { chmodSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { builtFolder } from '../support/built-folder.ts';
import { startTestStack } from '../support/stack.ts';

const ID_OF_PAGE = 'JKJaXmPLvHcESHA=';

/** Runs the search of the page over what `serve` printed: a stand-in for journalctl prints it. */
function search(page: string, id: string, folder: string): Array<Record<string, unknown>> {
  const [, command = ''] = /```sh\n(journalctl .*?)```/s.exec(readFileSync(page, 'utf8')) ?? [];
  expect(command).toContain(ID_OF_PAGE);
  const env = { PATH: `${folder}:${process.env.PATH}` };
  const found = execFileSync('sh', ['-c', command.replace(ID_OF_PAGE, id)], { env, encoding: 'utf8' });
  return found.split('\n').flatMap((line) => (line === '' ? [] : [JSON.parse(line)]));
}

test('the search in the operations pages finds all lines of a call in the output of serve, and no others', async () => {
  const folder = await builtFolder();
  onTestFinished(() => folder.remove());
  const stack = await startTestStack({ seeded: true });
  const app = await stack.createApp();
  const argv = ['--import', 'tsx', resolve('serve/main.ts'), '--port', '0', '--admin-port', '0', '--no-schedules'];
  const env = { PATH: process.env.PATH, ...stack.env, LOG: 'on' };
  const child = spawn(process.execPath, argv, { cwd: folder.path, env });
  onTestFinished(() => void child.kill('SIGKILL'));
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (output += chunk));
  while (!/^ready \S+$/m.test(output)) {
    if (child.exitCode !== null) throw new Error(output);
    await sleep(20);
  }
  const url = /^ready (\S+)$/m.exec(output)?.[1] ?? '';

  const body = { account: 'demo', password: 'demo-password-1' };
  const asked = (path: string, headers: Record<string, string>, init: RequestInit = {}) =>
    fetch(`${url}${path}`, { ...init, headers });
  const read = await asked('/data/notice/1', stack.sign(app, 'GET', '/data/notice/1'));
  const login = await asked('/login', stack.sign(app, 'POST', '/login', { body }), {
    method: 'POST',
    body: JSON.stringify(body),
  });
  const wrongKey = stack.sign({ ...app, privateKey: 'another' }, 'GET', '/data/notice/1');
  const refused = await asked('/data/notice/1', wrongKey);
  expect([read.status, login.status, refused.status]).toEqual([200, 200, 403]);

  child.kill('SIGTERM');
  while (child.exitCode === null) await sleep(20);
  const journal = join(folder.path, 'journal');
  writeFileSync(journal, output);
  writeFileSync(join(folder.path, 'journalctl'), `#!/bin/sh\ncat '${journal}'\n`);
  chmodSync(join(folder.path, 'journalctl'), 0o755);
  for (const page of ['docs/operations.md', 'docs/zh-CN/operations.md']) {
    const lines = (id: string | null) =>
      search(page, id ?? '', folder.path).map((line) => [line.step, line.status, line.app]);
    expect(lines(read.headers.get('x-request-id'))).toEqual([
      ['authorizer', 200, app.appId],
      ['function', 200, app.appId],
    ]);
    expect(lines(login.headers.get('x-request-id'))).toEqual([
      ['authorizer', 200, app.appId],
      ['function', 200, app.appId],
    ]);
    expect(lines(refused.headers.get('apigw-requestid'))).toEqual([['authorizer', 403, app.appId]]);
  }
});
