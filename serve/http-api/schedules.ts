import { cronJob } from './cron.ts';
import type { Lambda } from './lambda.ts';
import type { Schedule } from './serverless-file.ts';

interface Schedules {
  /** Runs a function with the input of its schedule, or with `input`. undefined: the last run has not ended. */
  run(functionName: string, input?: unknown): Promise<unknown>;
  /** Starts no more runs, and waits for the runs that have not ended. */
  stop(): Promise<void>;
}

const secondsPer: Record<string, number> = { minute: 60, hour: 3600, day: 86_400 };

export function startSchedules(
  schedules: Schedule[],
  lambda: Lambda,
  /** false: functions run only by `run()`. */
  byTheClock: boolean,
  log: (line: string) => void,
): Schedules {
  const running = new Map<string, Promise<unknown>>();

  async function run(functionName: string, input?: unknown): Promise<unknown> {
    const schedule = schedules.find((candidate) => candidate.functionName === functionName);
    if (!schedule) throw new Error(`serverless.yml has no schedule for ${functionName}`);
    // On AWS, reserved concurrency 1 refuses a second run in the same way.
    if (running.has(functionName)) {
      log(`${functionName} is still running: this run is skipped`);
      return undefined;
    }
    const work = lambda.invoke(functionName, structuredClone(input ?? schedule.input));
    running.set(functionName, work);
    try {
      return await work;
    } finally {
      running.delete(functionName);
    }
  }

  const tick = (functionName: string) => (): void =>
    void run(functionName).catch((error: unknown) => log(`${functionName} failed: ${String(error)}`));
  const clocks = byTheClock
    ? schedules.map(({ functionName, expression }) => clock(expression, tick(functionName)))
    : [];

  return {
    run,
    async stop() {
      for (const stopClock of clocks) stopClock();
      await Promise.allSettled(running.values());
    },
  };
}

/** Runs the work at the times of rate(...) or cron(...). Returns what stops it. Throws if the expression has an error. */
function clock(expression: string, work: () => void): () => void {
  const milliseconds = rateMilliseconds(expression);
  if (milliseconds === undefined) {
    const job = cronJob(expression, work);
    return () => job.stop();
  }
  const timer = setInterval(work, milliseconds).unref();
  return () => clearInterval(timer);
}

/** `rate(5 minutes)`; undefined for cron(...). */
export function rateMilliseconds(expression: string): number | undefined {
  const [, count, unit = ''] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  const seconds = secondsPer[unit];
  return seconds === undefined ? undefined : Number(count) * seconds * 1000;
}
