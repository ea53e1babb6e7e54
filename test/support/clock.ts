import { vi } from 'vitest';

/**
 * Runs `work` while the clock of this process is stopped at `now` (Unix milliseconds), for the test and for the
 * functions, which run in this process. Engines have their own clocks, and timeouts still elapse.
 */
export async function atTime<T>(now: number, work: () => Promise<T>): Promise<T> {
  vi.setSystemTime(now);
  try {
    return await work();
  } finally {
    vi.useRealTimers();
  }
}

/** Unix milliseconds at the beginning of the current second. */
export const wholeSecond = (): number => Math.floor(Date.now() / 1000) * 1000;
