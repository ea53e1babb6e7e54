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

  const timers = byTheClock
    ? schedules.flatMap(({ functionName, expression }) => {
        const milliseconds = rateMilliseconds(expression);
        if (milliseconds === undefined) {
          log(`${functionName}: ${expression} is not supported, so it does not run by the clock`);
          return [];
        }
        const tick = (): void =>
          void run(functionName).catch((error: unknown) => log(`${functionName} failed: ${String(error)}`));
        return [setInterval(tick, milliseconds).unref()];
      })
    : [];

  return {
    run,
    async stop() {
      for (const timer of timers) clearInterval(timer);
      await Promise.allSettled(running.values());
    },
  };
}

/** `rate(5 minutes)`; undefined for cron(...). */
export function rateMilliseconds(expression: string): number | undefined {
  const [, count, unit = ''] = /^rate\((\d+) (minute|hour|day)s?\)$/.exec(expression) ?? [];
  const seconds = secondsPer[unit];
  return seconds === undefined ? undefined : Number(count) * seconds * 1000;
}
