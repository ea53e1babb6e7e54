import { type ChildProcess, spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, expect, onTestFinished, test } from 'vitest';
import { executeOverHttp } from '../../db/execute.ts';
import { readRunningStack } from '../../local/data-folder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

const children: ChildProcess[] = [];
afterEach(() => {
  for (const { pid } of children.splice(0)) {
    try {
      process.kill(-(pid ?? 0), 'SIGKILL');
    } catch {} // ended by itself
  }
});

/** `npm run dev` as typed in a terminal, in its own process group. */
function dev(...argv: string[]) {
  const child = spawn('npm', ['run', '-s', 'dev', '--', ...argv], {
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const output = { text: '' };
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (chunk) => (output.text += chunk));
  const exit = new Promise<number | null>((resolve) => child.on('close', resolve));
  return {
    child,
    exit,
    output,
    async ready(): Promise<string> {
      for (;;) {
        const url = /^ready (http:\S+)$/m.exec(output.text)?.[1];
        if (url) return url;
        if (child.exitCode !== null) throw new Error(`it ended: ${output.text}`);
        await sleep(20);
      }
    },
  };
}

async function ownFolder(): Promise<string> {
  const parent = await temporaryFolder('dev');
  onTestFinished(() => parent.remove());
  return join(parent.path, 'data');
}

async function runningOn(folder: string) {
  const running = await readRunningStack(folder);
  if (!running) throw new Error('nothing is announced');
  const { DATABASE_URL = '', UPSTASH_REDIS_REST_URL = '', UPSTASH_REDIS_REST_TOKEN } = running.env;
  const redis = async (...command: string[]): Promise<unknown> => {
    const headers = { authorization: `Bearer ${UPSTASH_REDIS_REST_TOKEN}` };
    const body = JSON.stringify(command);
    const response = await fetch(UPSTASH_REDIS_REST_URL, { method: 'POST', headers, body });
    return ((await response.json()) as { result: unknown }).result;
  };
  return { ...running, redis, sql: executeOverHttp(DATABASE_URL) };
}

test('it serves, keeps its data across a restart, and leaves no process behind', { timeout: 240_000 }, async () => {
  const folder = await ownFolder();
  const first = dev('--port', '0', '--data', folder, '--h5-origins', 'http://localhost:3001');
  const url = await first.ready();
  expect((await fetch(`${url}/data/notice/1`)).status).toBe(401);
  const allowed = async (origin: string) =>
    (await fetch(`${url}/health`, { headers: { origin } })).headers.get('access-control-allow-origin');
  expect(await allowed('http://localhost:3001')).toBe('http://localhost:3001');
  expect(await allowed('http://localhost:5173')).toBeNull();
  expect(first.output.text).toContain('"http://localhost:5173" are refused by its browser');
  const before = await runningOn(folder);
  expect(before.url).toBe(url);
  expect(await before.sql('SELECT COUNT(*) AS users FROM users WHERE account = ?', ['demo'])).toEqual([{ users: '1' }]);
  await before.sql("UPDATE notices SET title = 'kept' WHERE id = 1");
  await before.redis('SET', 'kept', 'too', 'PX', '600000');

  const second = dev('--port', '0', '--data', folder);
  expect(await second.exit).toBe(1);
  expect(second.output.text).toMatch(/is in use by process \d+: stop that process, or choose another folder/);

  // The signal goes to npm only, as from a process manager. npm and its shell end by it. The server must notice that:
  // `exit` waits for the end of all that can write to the output.
  first.child.kill('SIGTERM');
  await first.exit;
  expect(first.output.text).not.toContain('did not end cleanly');
  expect(await readRunningStack(folder)).toBeUndefined();
  await expect(before.redis('PING')).rejects.toThrow();
  const secrets = Object.values(JSON.parse(await readFile(join(folder, 'keys.json'), 'utf8')) as object);
  for (const secret of secrets) expect(first.output.text).not.toContain(secret);

  const third = dev('--port', '0', '--data', folder);
  await third.ready();
  const after = await runningOn(folder);
  expect(after.env.MASTER_KEY).toBe(before.env.MASTER_KEY);
  expect(await after.sql('SELECT title FROM notices WHERE id = 1')).toEqual([{ title: 'kept' }]);
  expect(await after.redis('GET', 'kept')).toBe('too');

  // Ctrl-C signals the whole group.
  process.kill(-(third.child.pid ?? 0), 'SIGINT');
  await third.exit;
  expect(third.output.text).not.toContain('did not end cleanly');
  await expect(after.redis('PING')).rejects.toThrow();
  expect(await readRunningStack(folder)).toBeUndefined();
});

test('a port that is in use is named in the error before anything starts', async () => {
  const other = createServer().listen(0, '127.0.0.1');
  onTestFinished(() => void other.close());
  await new Promise((listening) => other.once('listening', listening));
  const { port } = other.address() as AddressInfo;
  const { exit, output } = dev('--port', String(port), '--data', await ownFolder());
  expect(await exit).toBe(1);
  expect(output.text).toContain(`port ${port} is in use: choose another with --port`);
  expect(output.text).not.toContain('redis');
});

test('--help explains every option', async () => {
  const { exit, output } = dev('--help');
  expect(await exit).toBe(0);
  for (const option of ['--port', '--data', '--fresh', '--ha']) expect(output.text).toContain(option);
});

test.each(['--prot', '--port=x', '--port=70000'])('%s is refused with a sentence', async (flag) => {
  const { exit, output } = dev(flag);
  expect(await exit).toBe(1);
  expect(output.text.trim().split('\n')).toHaveLength(1);
});
