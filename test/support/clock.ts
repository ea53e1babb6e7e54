import { vi } from 'vitest';

/**
 * Runs `work` while the clock of this process stands at `now` (Unix milliseconds): that of the test and that of the
 * functions, which run in it. Engines have clocks of their own, and time-outs run on.
 */
export async function atTime<T>(now: number, work: () => Promise<T>): Promise<T> {
  vi.setSystemTime(now);
  try {
    return await work();
  } finally {
    vi.useRealTimers();
  }
}

/** This second, from its beginning. */
export const wholeSecond = (): number => Math.floor(Date.now() / 1000) * 1000;
