import type { LockRule } from '../../shared/lock/rule.ts';

/** The meaning of lock rules in plain TypeScript, with its own clock: the script is compared with it. */
export class LockModel {
  now = 0;
  private readonly counters = new Map<string, { used: number; endsAt: number }>();
  private readonly strikes = new Map<string, { count: number; endsAt: number }>();

  constructor(private readonly rules: readonly LockRule[]) {}

  /** The longest wait, and the rules that require it; undefined: admitted. */
  call(misses: number): { by: string[]; seconds: number } | undefined {
    const after: Array<() => void> = [];
    let refusal: { by: string[]; seconds: number } | undefined;
    for (const rule of this.rules) {
      const cost = rule.count === 'miss' ? misses : 1;
      const counter = this.alive(this.counters, rule.name) ?? { used: 0, endsAt: this.now + rule.windowSeconds };
      if (cost === 0 || counter.used + cost <= rule.limit || rule.shadow) continue;
      const seconds = this.refuse(rule, counter, after);
      if (refusal?.seconds === seconds) refusal.by.push(rule.name);
      else if (!refusal || seconds > refusal.seconds) refusal = { by: [rule.name], seconds };
    }
    if (refusal) {
      for (const effect of after) effect();
      return refusal;
    }
    for (const rule of this.rules) {
      const cost = rule.count === 'miss' ? misses : 1;
      const counter = this.alive(this.counters, rule.name) ?? { used: 0, endsAt: this.now + rule.windowSeconds };
      if (counter.used + cost <= rule.limit && cost > 0) {
        this.counters.set(rule.name, { ...counter, used: counter.used + cost });
      }
    }
    return undefined;
  }

  private refuse(rule: LockRule, counter: { used: number; endsAt: number }, after: Array<() => void>): number {
    const left = counter.endsAt - this.now;
    const locked = counter.used > rule.limit;
    if (rule.lockSeconds === undefined || (locked && !rule.extend)) return left;
    const { count } = this.alive(this.strikes, rule.name) ?? { count: 0 };
    const before = locked ? Math.max(0, count - 1) : count;
    const lasts = rule.escalate
      ? Math.min(rule.escalate.maxSeconds, rule.lockSeconds * rule.escalate.factor ** before)
      : rule.lockSeconds;
    const seconds = locked ? Math.max(left, lasts) : lasts;
    after.push(() => {
      this.counters.set(rule.name, { used: rule.limit + 1, endsAt: this.now + seconds });
      if (rule.escalate && !locked) {
        this.strikes.set(rule.name, { count: count + 1, endsAt: this.now + rule.escalate.memorySeconds });
      }
    });
    return seconds;
  }

  private alive<T extends { endsAt: number }>(kept: Map<string, T>, name: string): T | undefined {
    const entry = kept.get(name);
    return entry && entry.endsAt > this.now ? entry : undefined;
  }
}
