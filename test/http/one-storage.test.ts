import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, onTestFinished, test } from 'vitest';
import { startTestStack } from '../support/stack.ts';

test('all functions of a process, loaded again or not, share one storage of invocations', async () => {
  const used = new Set<unknown>();
  const { run } = AsyncLocalStorage.prototype;
  AsyncLocalStorage.prototype.run = function (this: unknown, ...args: unknown[]) {
    used.add(this);
    return (run as (...given: unknown[]) => unknown).apply(this, args);
  } as typeof run;
  onTestFinished(() => {
    AsyncLocalStorage.prototype.run = run;
  });
  const stack = await startTestStack();
  const app = await stack.createApp();
  const calls = async () => {
    expect((await stack.call(app, 'GET', '/data/notice/1')).status).toBe(404);
    expect((await stack.call(app, 'GET', '/recharge/params')).status).toBe(401);
  };
  await calls();
  await stack.api.reload();
  await calls();
  expect(used.size).toBe(1);
});
