import type { TestStack } from './stack.ts';

/** Runs the work, and stops it before one of its requests to MySQL. */
type Dying = (work: () => Promise<unknown>) => Promise<void>;

/**
 * Repeats a round: its work dies before its first request to MySQL, in the next round before its second, and so on. The
 * last round is the one in which the work comes to its end. `n`: from 1 on.
 */
export async function crashBeforeEach(
  { faults }: Pick<TestStack, 'faults'>,
  round: (dying: Dying, n: number) => Promise<void>,
): Promise<void> {
  let hasDied = true;
  for (let n = 1; hasDied; n++) {
    let requests = 0;
    await round(async (work) => {
      faults.mysql = () => (++requests === n ? { kind: 'status', status: 401, body: '{}' } : undefined);
      await work().catch(() => {});
      faults.mysql = undefined;
    }, n);
    hasDied = requests >= n;
    if (n === 1 && !hasDied) throw new Error('the work of this round made no request to MySQL');
  }
}
