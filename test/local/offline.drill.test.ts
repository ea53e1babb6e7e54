import { beforeAll, expect, test } from 'vitest';
import { type Offline, startOffline } from '../../local/offline.ts';
import { builtFolder } from '../support/built-folder.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

// serverless-offline differs from the real API Gateway. These tests do not check the differences:
// serve/http-api/http-api.ts is the exact emulator.
let stack: TestStack;
let offline: Offline;
let app: TestApp;

beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp();
  const [checkout, folder] = [process.cwd(), await builtFolder()];
  // serverless-offline serves the folder that it is started in.
  process.chdir(folder.path);
  offline = await startOffline({ env: stack.env, log: () => {} }).finally(() => process.chdir(checkout));
  return async () => {
    await offline.stop();
    await folder.remove();
  };
}, 120_000);

const get = async (path: string, headers: Record<string, string>) => fetch(offline.url + path, { headers });

test('behind serverless-offline a signed read is served, and a second use of its token is refused', async () => {
  const headers = stack.sign(app, 'GET', '/data/notice/1');
  const first = await get('/data/notice/1', headers);
  expect(first.status).toBe(200);
  expect(await first.json()).toMatchObject({ id: '1' });
  const second = await get('/data/notice/1', headers);
  expect(second.status).toBe(401);
  expect(await second.json()).toMatchObject({ code: 'REPLAYED' });
});

test('behind serverless-offline a token for another path is refused', async () => {
  const answer = await get('/data/notice/2', stack.sign(app, 'GET', '/data/notice/1'));
  expect(answer.status).toBe(403);
});

test('behind serverless-offline a call without a token is refused', async () => {
  expect((await get('/data/notice/1', {})).status).toBe(401);
});
