import type { AppError } from '../errors.ts';
import { LocalCache } from '../local-cache.ts';
import type { BoundRule } from './bind.ts';
import { lockedError } from './refusal.ts';
import type { LockRule } from './rule.ts';

/**
 * Refusals that this process remembers: a caller that repeats a refused call costs no request to Redis. At most 5 s, so
 * that what an operator lifts is lifted everywhere within that time. `now`: Unix milliseconds.
 */
const MEMORY_MS = 5_000;
const denials = new LocalCache<{ rule: LockRule; endsAt: number }>(5_000, MEMORY_MS);
const denialName = ({ counter, generation, holder, spare }: BoundRule): string =>
  `${counter} ${generation} ${holder} ${spare ?? ''}`;

/** Not of rules that must see each call: those that extend their lock, and those whose cost differs from call to call. */
export function rememberDenial(bound: BoundRule, waitMs: number, now: number): void {
  const { rule } = bound;
  if (rule.extend || rule.shadow || rule.count === 'miss') return;
  denials.set(denialName(bound), { rule, endsAt: now + waitMs }, now, waitMs);
}

/** What was given back may pass again at once. */
export const forgetDenial = (bound: BoundRule): void => denials.delete(denialName(bound));

/** undefined: none of the rules is known to refuse this caller. */
export function findDenial(rules: readonly BoundRule[], now: number): AppError | undefined {
  for (const bound of rules) {
    const denial = denials.get(denialName(bound), now);
    if (denial) return lockedError(denial.rule, Math.ceil((denial.endsAt - now) / 1000));
  }
  return undefined;
}
