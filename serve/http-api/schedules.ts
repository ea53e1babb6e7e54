import type { Lambda } from './lambda.ts';
import type { Schedule } from './serverless-file.ts';

interface Schedules {
  /** Runs a function as its schedule would; answers its result, or undefined when a run of it is still under way. */
  run(functionName: string, input?: unknown): Promise<unknown>;
  /** No run starts any more; waits for those under way. */
  stop(): Promise<void>;
}

const secondsPer: Record<string, number> = { minute: 60, hour: 3600, day: 86_400 };

export function startSchedules(
  schedules: Schedule[],
  lambda: Lambda,
  /** false: nothing runs but by `run()` */
  byTheClock: boolean,
  log: (line: string) => void,
): Schedules {
  const running = new Map<string, Promise<unknown>>();

  async function run(functionName: string, input?: unknown): Promise<unknown> {
    const schedule = schedules.find((candidate) => candidate.functionName === functionName);
    if (!schedule) throw new Error(`serverless.yml has no schedule for ${functionName}`);
    // Reserved concurrency 1 refuses a second run at once in the same way.
    if (running.has(functionName)) {
      log(`${functionName} is still running: this run is left out`);
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
          log(`${functionName}: ${expression} does not run by the clock here`);
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
