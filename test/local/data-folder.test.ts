import { mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { environmentOf, openDataFolder, readRunningStack } from '../../local/data-folder.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';

let folder: string;
let remove: () => Promise<void>;

beforeEach(async () => {
  const parent = await temporaryFolder('data');
  folder = join(parent.path, 'dev');
  remove = parent.remove;
});
afterEach(() => remove());

const running = {
  url: 'http://127.0.0.1:3000',
  databaseUrl: 'http://miniapp:secret@127.0.0.1:4000',
  redisUrl: 'http://127.0.0.1:5000',
  redisToken: 'token',
  wechatUrl: 'http://127.0.0.1:6000',
  sandbox: true,
};

async function openedOnce(): Promise<Awaited<ReturnType<typeof openDataFolder>>['keys']> {
  const { keys, close } = await openDataFolder(folder);
  await close();
  return keys;
}

test('secrets are made once, kept, and readable by their owner alone', async () => {
  const first = await openedOnce();
  expect(first.masterKey).toMatch(/^[0-9a-f]{64}$/);
  expect(first.serverKey).toMatch(/^[0-9a-f]{64}$/);
  expect(await openedOnce()).toEqual(first);
  expect((await stat(join(folder, 'keys.json'))).mode & 0o777).toBe(0o600);
  expect((await stat(folder)).mode & 0o777).toBe(0o700);
});

test('other commands find a running server, and nothing after it ended', async () => {
  const opened = await openDataFolder(folder);
  expect(await readRunningStack(folder)).toBeUndefined();
  await opened.announce(running);
  expect(await readRunningStack(folder)).toMatchObject({ url: running.url, sandbox: true });
  expect(await environmentOf(folder)).toMatchObject({
    STAGE: 'dev',
    UPSTASH_REDIS_REST_URL: running.redisUrl,
    UPSTASH_REDIS_REST_TOKEN: running.redisToken,
    DATABASE_URL: running.databaseUrl,
    MASTER_KEY: opened.keys.masterKey,
    SERVER_KEY: opened.keys.serverKey,
    SIGNING_KEY: opened.keys.signingKey,
    SANDBOX_KEY: opened.keys.sandboxKey,
  });
  expect((await stat(join(folder, 'state.json'))).mode & 0o777).toBe(0o600);
  await opened.close();
  await expect(environmentOf(folder)).rejects.toThrow(/start "npm run dev"/);
});

test('files left by a killed process are not taken for a running server', async () => {
  await openedOnce();
  await writeFile(join(folder, 'state.json'), JSON.stringify({ ...running, pid: process.pid, process: '1 1' }));
  expect(await readRunningStack(folder)).toBeUndefined();
});

test('a second server on the same folder is refused, and the error names the first', async () => {
  const { close } = await openDataFolder(folder);
  await expect(openDataFolder(folder, { fresh: true })).rejects.toThrow(`in use by process ${process.pid}`);
  await close();
});

test('fresh empties the folder and makes new secrets', async () => {
  const first = await openedOnce();
  await mkdir(join(folder, 'mysql'));
  const { keys, close } = await openDataFolder(folder, { fresh: true });
  await close();
  expect(keys.masterKey).not.toBe(first.masterKey);
  expect(await readdir(folder)).not.toContain('mysql');
});

test.each([{ fresh: true }, { fresh: false }])('a folder with other files is not changed ($fresh)', async (options) => {
  await mkdir(folder);
  await writeFile(join(folder, 'thesis.txt'), 'years of work');
  await expect(openDataFolder(folder, options)).rejects.toThrow(/choose another folder/);
  expect(await readdir(folder)).toEqual(['thesis.txt']);
  expect(await readFile(join(folder, 'thesis.txt'), 'utf8')).toBe('years of work');
});

test('missing keys are not replaced by new keys, which could not open the data', async () => {
  const keys = await openedOnce();
  const file = join(folder, 'keys.json');
  await rm(file);
  await expect(openDataFolder(folder)).rejects.toThrow(
    /its keys are missing.*put the former .*keys\.json back.*--fresh/,
  );
  expect(await readdir(folder)).not.toContain('keys.json');
  await writeFile(file, JSON.stringify(keys));
  expect(await openedOnce()).toEqual(keys);
});

test('a folder from before a secret existed gets that secret once, and keeps the others', async () => {
  const { signingKey, ...former } = await openedOnce();
  const file = join(folder, 'keys.json');
  await writeFile(file, JSON.stringify(former));
  const completed = await openedOnce();
  expect(completed).toMatchObject(former);
  expect(completed.signingKey).toMatch(/^[0-9a-f]{64}$/);
  expect(completed.signingKey).not.toBe(signingKey);
  expect(await openedOnce()).toEqual(completed);
  expect((await stat(file)).mode & 0o777).toBe(0o600);
});

test('keys of another folder are refused before an engine starts', async () => {
  const keys = await openedOnce();
  await writeFile(join(folder, 'keys.json'), JSON.stringify({ ...keys, masterKey: '0'.repeat(64) }));
  await expect(openDataFolder(folder)).rejects.toThrow(/sealed with another master key/);
});

test('a damaged keys file is named in the error, and its content is not shown', async () => {
  await openedOnce();
  await writeFile(join(folder, 'keys.json'), '{"masterKey": "half of');
  const failure = await openDataFolder(folder).catch((error: Error) => error.message);
  expect(failure).toMatch(/keys\.json is damaged/);
  expect(failure).not.toContain('half of');
});
