import type { AppError } from '../errors.ts';
import { LocalCache } from '../local-cache.ts';
import type { BoundRule } from './bind.ts';
import { lockedError } from './refusal.ts';
import type { LockRule } from './rule.ts';

/**
 * Refusals that this process remembers. A caller that repeats a refused call then costs no request to Redis. They are
 * kept for at most 5 s, so that a lock that an operator clears ends everywhere within this time. `now`: Unix
 * milliseconds.
 */
const MEMORY_MS = 5_000;
const denials = new LocalCache<{ rule: LockRule; endsAt: number }>(5_000, MEMORY_MS);
const denialName = ({ counter, generation, holder, spare }: BoundRule): string =>
  `${counter} ${generation} ${holder} ${spare ?? ''}`;

/** Rules that have to see each call are left out: those that extend their lock, and those whose cost varies by call. */
export function rememberDenial(bound: BoundRule, waitMs: number, now: number): void {
  const { rule } = bound;
  if (rule.extend || rule.shadow || rule.count === 'miss') return;
  denials.set(denialName(bound), { rule, endsAt: now + waitMs }, now, waitMs);
}

/** After a charge is given back, the caller may pass at once. */
export const forgetDenial = (bound: BoundRule): void => denials.delete(denialName(bound));

/** undefined: this process remembers no refusal of these rules. */
export function findDenial(rules: readonly BoundRule[], now: number): AppError | undefined {
  for (const bound of rules) {
    const denial = denials.get(denialName(bound), now);
    if (denial) return lockedError(denial.rule, Math.ceil((denial.endsAt - now) / 1000));
  }
  return undefined;
}
