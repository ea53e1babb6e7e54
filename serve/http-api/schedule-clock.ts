import { cronJob } from './cron.ts';

const MILLISECONDS = { minute: 60_000, hour: 3_600_000, day: 86_400_000 };
/** A longer pause of a timer ends at once. */
const LONGEST_PAUSE = 2 ** 31 - 1;

/** Throws if AWS would refuse `rate(...)` or `cron(...)`. `timezone`: in the form `Asia/Shanghai`. */
export function checkSchedule(expression: string, timezone: string): void {
  if (rateMilliseconds(expression) === undefined) cronJob(expression, timezone).stop();
}

/** Runs the work at the times of rate(...) or cron(...). Returns what stops it. It does not hold the process. */
export function startClock(expression: string, timezone: string, work: () => void): () => void {
  const milliseconds = rateMilliseconds(expression);
  if (milliseconds !== undefined) return repeat(milliseconds, work);
  const job = cronJob(expression, timezone, work);
  return () => job.stop();
}

/** `rate(5 minutes)`; undefined for cron(...). Throws if AWS would refuse it, as `rate(1 minutes)`. */
export function rateMilliseconds(expression: string): number | undefined {
  if (!expression.startsWith('rate(')) return undefined;
  const [, count = '', unit = '', plural] = /^rate\(([1-9]\d*) (minute|hour|day)(s?)\)$/.exec(expression) ?? [];
  if (unit === '' || (count === '1') !== (plural === '')) {
    throw new Error(`${expression} is not rate(1 minute), rate(5 minutes) and the like: minutes, hours or days`);
  }
  return Number(count) * MILLISECONDS[unit as keyof typeof MILLISECONDS];
}

function repeat(milliseconds: number, work: () => void): () => void {
  let due = performance.now() + milliseconds;
  let timer: NodeJS.Timeout;
  function wait(): void {
    const left = Math.max(1, due - performance.now());
    timer = setTimeout(onPause, Math.min(left, LONGEST_PAUSE)).unref();
  }
  function onPause(): void {
    const isDue = performance.now() >= due;
    if (isDue) due += milliseconds;
    wait();
    if (isDue) work();
  }
  wait();
  return () => clearTimeout(timer);
}
