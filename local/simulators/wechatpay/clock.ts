/** The clock of the mock. It is the machine's clock with shorter waits, or a clock that a test moves. */
export interface MockClock {
  now(): number;
  after(milliseconds: number, work: () => Promise<void>): void;
  /** Moves the clock. Runs everything that becomes due, in order, and resolves when it has ended. */
  advance(milliseconds: number): Promise<void>;
  stop(): void;
}

/** Waits are divided by a factor. `now()` is the machine's time, because signatures are checked against it. */
export function realClock(speed: number): MockClock {
  const timers = new Set<NodeJS.Timeout>();
  let stopped = false;
  return {
    now: () => Date.now(),
    after(milliseconds, work) {
      // A delivery that still runs when the mock stops must not plan another one.
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
