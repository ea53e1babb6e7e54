import { beforeAll, expect, test, vi } from 'vitest';
import { atTime } from '../support/clock.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
beforeAll(async () => {
  stack = await startTestStack();
  app = await stack.createApp();
  await stack.call(app, 'GET', '/data/service/1');
});

test('an authorizer whose clock is 400 s off refuses every call, raises an alarm, and asks Redis once a minute', async () => {
  const lines = vi.spyOn(console, 'log').mockImplementation(() => {});
  process.env.LOG = 'on';
  await stack.resetCounters();
  try {
    const timeStamp = Math.floor(Date.now() / 1000);
    await atTime(Date.now() - 400_000, async () => {
      for (let i = 0; i < 5; i++) {
        expect((await stack.call(app, 'GET', '/data/service/1', { timeStamp })).status).toBe(403);
      }
    });
    expect((await stack.counters()).redisRequests).toBe(1);
    const alarms = lines.mock.calls.map(([line]) => JSON.parse(line)).filter(({ level }) => level === 'alarm');
    expect(alarms.map(({ code }) => code)).toEqual(['clock-skew']);
    expect(Math.abs(alarms[0].skewMs + 400_000)).toBeLessThan(10_000);
  } finally {
    process.env.LOG = 'off';
    lines.mockRestore();
  }
});

test('a token with a wrong signature and an old time asks no engine', async () => {
  await stack.resetCounters();
  const forger = { ...app, privateKey: 'not the key' };
  const timeStamp = Math.floor(Date.now() / 1000) - 86_400;
  expect((await stack.call(forger, 'GET', '/data/service/1', { timeStamp })).status).toBe(403);
  expect((await stack.counters()).redisRequests).toBe(0);
});
