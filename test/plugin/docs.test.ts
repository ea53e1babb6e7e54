import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Redis } from 'ioredis';
import { expect, it, onTestFinished } from 'vitest';
import type { TokenStore } from '../../client/token-store.ts';
import { freshRedis } from '../support/engines.ts';
import { event, NEXT_SECRET, newToken, SECRET, signed } from '../support/plugin-push.ts';

/** The example of docs/plugins.md, in a folder with nothing else but the two files that the page says to copy. */
async function startExample(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'plugin-example-'));
  onTestFinished(() => rm(folder, { recursive: true }));
  const example = /```ts plugin\.ts\n(.*?)```/s.exec(await readFile('docs/plugins.md', 'utf8'))?.[1] ?? '';
  await writeFile(join(folder, 'package.json'), '{"type":"module"}');
  await writeFile(join(folder, 'plugin.ts'), example);
  for (const file of ['plugin-server.ts', 'token-store.ts']) await copyFile(join('client', file), join(folder, file));

  const child = spawn(process.execPath, ['--import', 'tsx', join(folder, 'plugin.ts')], {
    env: { PATH: process.env.PATH, PORT: '0', PUSH_SECRETS: `${NEXT_SECRET} ${SECRET}` },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(async () => {
    const ended = once(child, 'exit');
    if (child.kill()) await ended;
  });
  for await (const line of createInterface({ input: child.stdout })) {
    return `http://127.0.0.1:${/port: (\d+)/.exec(line)?.[1]}`;
  }
  throw new Error('the example ended without a line');
}

it('the plugin server of docs/plugins.md works as printed, with only the two copied files', async () => {
  const url = await startExample();
  const token = newToken();
  const serve = () => fetch(url, { headers: { 'plugin-token': token } });
  const push = (kind: 'issued' | 'revoked') => {
    const body = event(kind, token, { expiresAt: new Date(Date.now() + 600_000).toISOString() });
    return fetch(`${url}/push`, { method: 'POST', body, headers: signed(body, { atMs: Date.now() }) });
  };
  expect((await serve()).status).toBe(401);
  expect((await push('issued')).status).toBe(200);
  expect(await (await serve()).json()).toEqual({ forecast: 'sunny', userId: 'user-1' });
  expect((await push('revoked')).status).toBe(200);
  expect((await serve()).status).toBe(401);
});

it('the shared store of docs/plugins.md keeps a revocation in a real Redis until the token ends', async () => {
  const server = await freshRedis();
  onTestFinished(() => server.stop());
  const redis = new Redis(server.port, '127.0.0.1');
  onTestFinished(() => redis.disconnect());
  const literal = /const redisStore: TokenStore = (\{.*?\n\});/s.exec(await readFile('docs/plugins.md', 'utf8'))?.[1];
  const store: TokenStore = new Function('redis', `return ${literal}`)(redis);

  const expiresAtMs = Date.now() + 600_000;
  const issued = { hash: 'h', state: 'issued', userId: 'user-1', expiresAtMs, version: 1 } as const;
  const revoked = { ...issued, state: 'revoked', version: 2 } as const;
  expect(await store.get('h')).toBeNull();
  await store.put(issued);
  expect(await store.get('h')).toEqual(issued);
  await store.put(revoked);
  await store.put({ ...issued, version: 3 });
  expect(await store.get('h')).toEqual(revoked);
  for (const key of await redis.keys('*')) expect(await redis.pexpiretime(key)).toBe(expiresAtMs);
});
