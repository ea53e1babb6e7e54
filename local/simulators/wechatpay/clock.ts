/** Time for the mock: the machine's, with waits divided by a factor, or one that a test moves by hand. */
export interface MockClock {
  now(): number;
  after(milliseconds: number, work: () => Promise<void>): void;
  /** Runs everything that falls due on the way, in order, and ends when that work has ended. */
  advance(milliseconds: number): Promise<void>;
  stop(): void;
}

/** `now()` stays the machine's time, since signatures are checked against it; only waits get shorter. */
export function realClock(speed: number): MockClock {
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;
  return {
    now: () => Date.now(),
    after(milliseconds, work) {
      // A delivery that was under way when the mock stopped plans nothing any more.
      if (stopped) return;
      const timer = setTimeout(() => {
        timers.delete(timer);
        void work();
      }, milliseconds / speed);
      timers.add(timer);
    },
    advance: () => Promise.reject(new Error('only a manual clock can be advanced')),
    stop() {
      stopped = true;
      for (const timer of timers) clearTimeout(timer);
      timers.clear();
    },
  };
}

export function manualClock(startMs: number): MockClock {
  let now = startMs;
  let due: { at: number; work: () => Promise<void> }[] = [];
  return {
    now: () => now,
    after(milliseconds, work) {
      due.push({ at: now + milliseconds, work });
    },
    async advance(milliseconds) {
      const end = now + milliseconds;
      for (;;) {
        const next = due
          .filter(({ at }) => at <= end)
          .reduce<(typeof due)[number] | null>((a, b) => (a && a.at <= b.at ? a : b), null);
        if (next === null) break;
        due = due.filter((task) => task !== next);
        now = Math.max(now, next.at);
        await next.work();
      }
      now = end;
    },
    stop() {
      due = [];
    },
  };
}
