import { AppError } from '../errors.ts';
import { LocalCache } from '../local-cache.ts';
import type { BoundRule } from './bind.ts';
import { blockedError, lockedError } from './refusal.ts';

/** Counts of this process while Redis is down; `endsAt`: Unix milliseconds. */
const counts = new LocalCache<{ used: number; endsAt: number }>(10_000, 3_600_000);
const countName = ({ counter, generation }: BoundRule): string => `${counter} ${generation}`;

/**
 * Redis is down: each lock rule follows its own `onError`. Blocks that this process knows still apply. Throws LOCKED or
 * UNAVAILABLE. `now`: Unix milliseconds.
 */
export function applyRulesWithoutRedis(rules: readonly BoundRule[], blockedSeconds: number, now: number): void {
  if (blockedSeconds > 0) throw blockedError(blockedSeconds);
  if (rules.some(({ rule }) => rule.onError === 'closed')) {
    throw new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });
  }
  countHere(rules.filter(isCountedHere), now);
}

const isCountedHere = ({ rule }: BoundRule): boolean =>
  rule.onError === 'local' && !rule.shadow && rule.count !== 'miss';

/** Takes back what this process charged one call, once. `rules`: those whose charge is due. */
export function giveBackHere(rules: readonly BoundRule[]): void {
  for (const bound of rules.filter(isCountedHere)) {
    const name = countName(bound);
    const entry = counts.get(name);
    if (!entry) continue;
    // Above the limit: the rule locks because of calls that we failed. Then the lock ends, as it does in Redis.
    const used = Math.min(entry.used, bound.rule.limit) - 1;
    const now = Date.now();
    if (used > 0) counts.set(name, { ...entry, used }, now, entry.endsAt - now);
    else counts.delete(name);
  }
}

/** For calls that pass no admission: this process refuses a caller whose failures are at the limit. Throws LOCKED. */
export function refuseHere(rules: readonly BoundRule[], now: number): void {
  for (const bound of rules) {
    const entry = counts.get(countName(bound), now);
    if (entry && entry.used >= bound.rule.limit) throw lockedError(bound.rule, Math.ceil((entry.endsAt - now) / 1000));
  }
}

/** Counts one failure of such a call. */
export function chargeHere(rules: readonly BoundRule[], now: number): void {
  for (const bound of rules) {
    const name = countName(bound);
    const { used, endsAt } = counts.get(name, now) ?? { used: 0, endsAt: now + bound.rule.windowSeconds * 1000 };
    counts.set(name, { used: used + 1, endsAt }, now, endsAt - now);
  }
}

/** As in Redis, all rules are checked before one is charged. Throws LOCKED. */
function countHere(rules: readonly BoundRule[], now: number): void {
  const entries = rules.map((bound) => {
    const { rule } = bound;
    const name = countName(bound);
    return { rule, name, ...(counts.get(name, now) ?? { used: 0, endsAt: now + rule.windowSeconds * 1000 }) };
  });
  const keep = (name: string, used: number, endsAt: number) => counts.set(name, { used, endsAt }, now, endsAt - now);
  for (const { rule, name, used, endsAt } of entries) {
    if (used < rule.limit) continue;
    const trips = used === rule.limit && rule.lockSeconds !== undefined;
    const lockedUntil = trips ? now + (rule.lockSeconds as number) * 1000 : endsAt;
    keep(name, rule.limit + 1, lockedUntil);
    throw lockedError(rule, Math.ceil((lockedUntil - now) / 1000));
  }
  for (const { name, used, endsAt } of entries) keep(name, used + 1, endsAt);
}
