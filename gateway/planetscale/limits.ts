import { CallerGone, MysqlError } from './errors.ts';
import type { Link } from './link.ts';

export interface Limits {
  /** Aborts when the caller has closed its connection. */
  gone: AbortSignal;
  /** How long the work may continue without its caller. Work without it does not even begin. */
  graceMs?: number;
  seconds?: number;
}

/**
 * Runs `work` on the connection and ends its statement on the server when the time is over, or when nobody waits for
 * the answer any more: an abandoned statement must not keep a place in the pool. Rejects with CallerGone and MysqlError.
 */
export async function withinLimits<T>(link: Link, limits: Limits, work: () => Promise<T>): Promise<T> {
  const { gone, graceMs, seconds } = limits;
  if (gone.aborted && graceMs === undefined) throw new CallerGone();
  const timers: NodeJS.Timeout[] = [];
  const killAfter = (ms: number, text: string) => {
    timers.push(setTimeout(() => void link.kill(new MysqlError(2013, 'HY000', text, true)), ms));
  };
  const leave = () => killAfter(graceMs ?? 0, 'the caller has disconnected, killing query');
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
