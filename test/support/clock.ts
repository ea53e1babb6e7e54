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
/**
 * A time at which a token with this offset in seconds is judged by the clock of the process alone: for Redis, which has
 * the real clock, the token is then well inside its window, however slow the machine is.
 */
export const judgedHere = (offset: number): number => wholeSecond() - Math.sign(offset) * 200_000;

export const wholeSecond = (): number => Math.floor(Date.now() / 1000) * 1000;
