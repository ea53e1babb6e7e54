import { beforeAll, beforeEach, expect, test } from 'vitest';
import { startTestStack, type TestStack } from '../support/stack.ts';

const failing = () => ({ kind: 'status', status: 500, body: '' }) as const;
const ask = () => stack.send('GET', '/health', {});

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
/** A result is kept for 5 s: each test begins with newly loaded functions. */
beforeEach(async () => {
  stack.faults.redis = undefined;
  stack.faults.mysql = undefined;
  await stack.api.reload();
});

test('anybody may ask, and many callers at once cause one request to each engine', async () => {
  const asked: string[] = [];
  stack.faults.redis = ({ body }) => void asked.push(`redis ${JSON.stringify(body).slice(0, 60)}`);
  stack.faults.mysql = ({ sql }) => void asked.push(`mysql ${sql}`);
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask()));
  for (const { status, body } of answers) {
    expect([status, body]).toEqual([200, { status: 'ok', engines: { redis: 'ok', mysql: 'ok' } }]);
  }
  // Calls of clients that a former file has left may still arrive. They ask something else.
  const pings = asked.filter((text) => text === 'mysql SELECT 1' || text === 'redis ["ping"]');
  expect(pings.sort()).toEqual(['mysql SELECT 1', 'redis ["ping"]']);
});

test.each(['redis', 'mysql'] as const)(
  'when %s is down the service is degraded, and the answer names the engine',
  async (engine) => {
    stack.faults[engine] = failing;
    const { status, body } = await ask();
    const engines = { redis: 'ok', mysql: 'ok', [engine]: 'down' };
    expect([status, body]).toEqual([200, { status: 'degraded', engines }]);
  },
);

test('when both engines are down the answer is 503, without a reason', async () => {
  stack.faults.redis = failing;
  stack.faults.mysql = failing;
  const { status, headers, body } = await ask();
  expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'UNAVAILABLE', '5']);
});
