import type { Lambda } from './lambda.ts';
import { startClock } from './schedule-clock.ts';
import type { Schedule } from './schedule-declaration.ts';

interface Schedules {
  /** Runs a function with the input of its first schedule, or with `input`. undefined: the last run has not ended. */
  run(functionName: string, input?: unknown): Promise<unknown>;
  /** Starts no more runs, and waits for the runs that have not ended. */
  stop(): Promise<void>;
}

export function startSchedules(
  schedules: Schedule[],
  lambda: Lambda,
  /** false: functions run only by `run()`. */
  byTheClock: boolean,
  log: (line: string) => void,
): Schedules {
  const running = new Map<Schedule, Promise<unknown>>();

  /** On AWS, reserved concurrency 1 refuses a second run in the same way, and tries that of another schedule again. */
  async function start(schedule: Schedule, input: unknown): Promise<unknown> {
    const { functionName } = schedule;
    if (running.has(schedule)) {
      log(`${functionName} is still running: this run is skipped`);
      return undefined;
    }
    const others = [...running].filter(([other]) => other.functionName === functionName).map(([, work]) => work);
    const work = Promise.allSettled(others).then(() => lambda.invoke(functionName, structuredClone(input)));
    running.set(schedule, work);
    try {
      return await work;
    } finally {
      running.delete(schedule);
    }
  }

  const tick = (schedule: Schedule) => (): void =>
    void start(schedule, schedule.input).catch((error: unknown) =>
      log(`${schedule.functionName} failed: ${String(error)}`),
    );
  const clocks = schedules
    .filter(({ enabled }) => byTheClock && enabled)
    .map((schedule) => startClock(schedule.expression, schedule.timezone, tick(schedule)));

  return {
    async run(functionName, input) {
      const schedule = schedules.find((candidate) => candidate.functionName === functionName);
      if (!schedule) throw new Error(`serverless.yml has no schedule for ${functionName}`);
      return start(schedule, input ?? schedule.input);
    },
    async stop() {
      for (const stopClock of clocks) stopClock();
      await Promise.allSettled(running.values());
    },
  };
}
