import { beforeAll, beforeEach, expect, test } from 'vitest';
import { startTestStack, type TestStack } from '../support/stack.ts';

const failing = () => ({ kind: 'status', status: 500, body: '' }) as const;
const ask = () => stack.send('GET', '/health', {});

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
});
/** What is known is kept for 5 s: each test begins with functions that know nothing. */
beforeEach(async () => {
  stack.faults.redis = undefined;
  stack.faults.mysql = undefined;
  await stack.api.reload();
});

test('anybody may ask, and however many do, the engines are asked once', async () => {
  await stack.resetCounters();
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask()));
  for (const { status, body } of answers) {
    expect([status, body]).toEqual([200, { status: 'ok', engines: { redis: 'ok', mysql: 'ok' } }]);
  }
  expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 1 });
});

test.each(['redis', 'mysql'] as const)(
  'with %s down the service is degraded, and says which engine it is',
  async (engine) => {
    stack.faults[engine] = failing;
    const { status, body } = await ask();
    const engines = { redis: 'ok', mysql: 'ok', [engine]: 'down' };
    expect([status, body]).toEqual([200, { status: 'degraded', engines }]);
  },
);

test('with both engines down nothing can be served: 503, and no word of why', async () => {
  stack.faults.redis = failing;
  stack.faults.mysql = failing;
  const { status, headers, body } = await ask();
  expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'UNAVAILABLE', '5']);
});
