import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LockRule } from '../../shared/lock/rule.ts';
import { readKey, requestOf, rule, verdictOf } from '../support/admission-call.ts';
import { type AdmissionWorld, startAdmissionWorld } from '../support/admission-world.ts';
import { LockModel } from '../support/lock-model.ts';

let world: AdmissionWorld;
beforeAll(async () => {
  world = await startAdmissionWorld();
});
afterAll(() => world.stop());

const anyRule = fc.record({
  limit: fc.integer({ min: 1, max: 4 }),
  windowSeconds: fc.integer({ min: 5, max: 60 }),
  lockSeconds: fc.option(fc.integer({ min: 5, max: 90 }), { nil: undefined }),
  count: fc.constantFrom<LockRule['count']>('call', 'miss', 'failure'),
  extend: fc.boolean(),
  shadow: fc.integer({ min: 0, max: 4 }).map((n) => n === 0),
  escalate: fc.option(
    fc.record({
      factor: fc.constantFrom(2, 3),
      maxSeconds: fc.integer({ min: 100, max: 400 }),
      memorySeconds: fc.integer({ min: 60, max: 600 }),
    }),
    { nil: undefined },
  ),
});
const anyStep = fc.oneof(
  { weight: 4, arbitrary: fc.record({ misses: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ pass: fc.integer({ min: 1, max: 120 }) }) },
);

test('for any rules, calls, costs and times, each refusal has the rule and the wait of the model', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyRule, { minLength: 1, maxLength: 3 }),
      fc.array(anyStep, { minLength: 5, maxLength: 16 }),
      async (drawn, steps) => {
        const target = `data:model-${++run}`;
        const rules = drawn.map(({ lockSeconds, escalate, ...rest }, index) =>
          rule({
            ...rest,
            name: `r${index}`,
            ...(lockSeconds !== undefined && { lockSeconds, ...(escalate && { escalate }) }),
          }),
        );
        const model = new LockModel(rules);
        for (const step of steps) {
          if ('pass' in step) {
            await world.pass(step.pass);
            model.now += step.pass;
            continue;
          }
          const reads = Array.from({ length: step.misses }, (_, i) => ({ key: readKey(`${run}-${model.now}-${i}`) }));
          const actual = await verdictOf(requestOf(rules, { target, reads }));
          await Promise.all(reads.map(({ key }) => world.redis.del(key)));
          const expected = model.call(step.misses);
          expect({ refused: actual.verdict === 'LOCKED' }).toEqual({ refused: expected !== undefined });
          if (!expected) continue;
          expect(expected.by).toContain(actual.by);
          expect(expected.seconds - actual.retryAfter).toBeGreaterThanOrEqual(0);
          expect(expected.seconds - actual.retryAfter).toBeLessThanOrEqual(1);
        }
        for (const key of await world.redis.keys('*:lock:*')) {
          expect(await world.redis.pttl(key)).toBeGreaterThan(0);
          await world.redis.del(key);
        }
      },
    ),
    { numRuns: 80 },
  );
}, 120_000);
