import type { TestStack } from './stack.ts';

/** Runs `work` when a transaction has locked one of two users and is about to lock the other one, `second`. */
export function beforeSecondLock(stack: TestStack, second: string, work: () => Promise<unknown>): void {
  stack.faults.mysql = ({ sql = '' }) => {
    if (!sql.endsWith('FOR UPDATE') || !sql.includes(second)) return undefined;
    stack.faults.mysql = undefined;
    const before = async (): Promise<undefined> => void (await work());
    return { kind: 'hold', before, after: async () => {} };
  };
}

/** Users are locked in the order of their ids. */
export const lockedLast = <T extends { userId: string }>(one: T, two: T): T => (one.userId < two.userId ? two : one);
