import { expect, onTestFinished, test } from 'vitest';
import { startTestStack, type TestStack } from '../support/stack.ts';

const away = () => ({ kind: 'status', status: 500, body: '' }) as const;
const ask = (stack: TestStack) => stack.send('GET', '/health', {});

/** What is known is kept for 5 s, so each test brings its own. */
async function freshStack(): Promise<TestStack> {
  const stack = await startTestStack();
  onTestFinished(() => stack.stop());
  return stack;
}

test('anybody may ask, and however many do, the engines are asked once', async () => {
  const stack = await freshStack();
  await stack.resetCounters();
  const answers = await Promise.all(Array.from({ length: 50 }, () => ask(stack)));
  for (const { status, body } of answers) {
    expect([status, body]).toEqual([200, { status: 'ok', engines: { redis: 'ok', mysql: 'ok' } }]);
  }
  expect(await stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 1 });
});

test.each(['redis', 'mysql'] as const)(
  'with %s away the service is degraded, and says which engine it is',
  async (engine) => {
    const stack = await freshStack();
    stack.faults[engine] = away;
    const { status, body } = await ask(stack);
    const engines = { redis: 'ok', mysql: 'ok', [engine]: 'away' };
    expect([status, body]).toEqual([200, { status: 'degraded', engines }]);
  },
);

test('with both engines away nothing can be served: 503, and no word of why', async () => {
  const stack = await freshStack();
  stack.faults.redis = away;
  stack.faults.mysql = away;
  const { status, headers, body } = await ask(stack);
  expect([status, body.code, headers.get('retry-after')]).toEqual([503, 'UNAVAILABLE', '5']);
});
