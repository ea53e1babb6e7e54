import { Interleaving } from './interleaving.ts';
import type { TestAnswer, TestStack } from './stack.ts';

/** Runs the calls together. Their requests to Redis and MySQL are served one by one, in an order that the seed decides. */
export async function race(
  stack: TestStack,
  seed: number,
  calls: ReadonlyArray<() => Promise<TestAnswer>>,
): Promise<TestAnswer[]> {
  const answers: TestAnswer[] = [];
  const order = new Interleaving(seed, () => {});
  stack.faults.redis = () => order.hold();
  stack.faults.mysql = () => order.hold();
  try {
    await order.run(
      calls.map((call, index) => async () => {
        answers[index] = await call();
      }),
    );
  } finally {
    stack.faults.redis = undefined;
    stack.faults.mysql = undefined;
  }
  return answers;
}
