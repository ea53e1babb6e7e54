import { CallerGone, MysqlError } from './errors.ts';
import { killStatement } from './kill.ts';
import type { Link } from './link.ts';

interface Limits {
  /** Aborts when the caller has closed its connection. */
  gone: AbortSignal;
  /**
   * Work that changes something may continue for this long without its caller: most of it is done by then, and its
   * caller had to expect that. Reads end at once.
   */
  graceMs?: number;
  /** Begins also when the caller has already gone. */
  always?: boolean;
  seconds?: number;
}

/** For work that changes something. */
export const GRACE_MS = 2_000;

/**
 * Runs `work` on the connection and ends its statement on the server when the time is over, or when nobody waits for
 * the answer any more: an abandoned statement must not keep a place in the pool. Rejects with CallerGone and
 * MysqlError.
 */
export async function withinLimits<T>(link: Link, limits: Limits, work: () => Promise<T>): Promise<T> {
  const { gone, graceMs = 0, always = false, seconds } = limits;
  if (gone.aborted && !always) throw new CallerGone();
  const timers: NodeJS.Timeout[] = [];
  const killAfter = (ms: number, text: string) => {
    timers.push(setTimeout(() => void killStatement(link, new MysqlError(2013, 'HY000', text, true)), ms));
  };
  const leave = () => killAfter(graceMs, 'the caller has disconnected, killing query');
  if (gone.aborted) leave();
  else gone.addEventListener('abort', leave, { once: true });
  if (seconds !== undefined)
    killAfter(seconds * 1000, `due to context deadline exceeded, elapsed time: ${seconds}s, killing query`);
  try {
    return await work();
  } finally {
    for (const timer of timers) clearTimeout(timer);
    gone.removeEventListener('abort', leave);
  }
}
