import { AppError } from '../errors.ts';
import { LocalCache } from '../local-cache.ts';
import {
  activeBlock,
  type BoundRule,
  bindRules,
  type Identities,
  type LockRule,
  type LockTarget,
  lockedError,
} from './api-lock.ts';

/** Refusals this process remembers, so that a caller who goes on costs no request: at most 5 s, so that a lift works. */
const DENIAL_MS = 5_000;
const denials = new LocalCache<{ rule: LockRule; endsAt: number }>(5_000, DENIAL_MS);
const denialName = ({ counter, generation, holder, spare }: BoundRule): string =>
  `${counter} ${generation} ${holder} ${spare ?? ''}`;

export function rememberDenial(bound: BoundRule, waitMs: number): void {
  if (bound.rule.extend || bound.rule.shadow || bound.rule.count === 'miss') return;
  denials.set(denialName(bound), { rule: bound.rule, endsAt: Date.now() + waitMs }, Date.now(), waitMs);
}

/** What was given back may pass again at once. */
export const forgetDenial = (bound: BoundRule): void => denials.delete(denialName(bound));

export function rememberedDenial(rules: readonly BoundRule[]): AppError | undefined {
  for (const bound of rules) {
    const denial = denials.get(denialName(bound));
    if (denial) return lockedError(denial.rule, Math.ceil((denial.endsAt - Date.now()) / 1000));
  }
  return undefined;
}

const localCounts = new LocalCache<{ used: number; endsAt: number }>(10_000, 3_600_000);

/**
 * Redis away: lock rules by their own onError; blocks that this process knows stand. Throws LOCKED or UNAVAILABLE.
 */
export function applyRulesWithoutRedis(targets: readonly LockTarget[], identities: Identities): BoundRule[] {
  const block = activeBlock(targets, identities);
  if (block) throw lockedError({ name: block.rule, limit: 0, windowSeconds: block.seconds }, block.seconds);
  const rules = bindRules(targets, identities);
  if (rules.some(({ rule }) => rule.onError === 'closed')) {
    throw new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });
  }
  const now = Date.now();
  const counted = rules.filter(({ rule }) => rule.onError === 'local' && !rule.shadow && rule.count !== 'miss');
  const entries = counted.map((bound) => ({
    bound,
    entry: localCounts.get(localName(bound)) ?? { used: 0, endsAt: now + bound.rule.windowSeconds * 1000 },
  }));
  for (const { bound, entry } of entries) {
    const { rule } = bound;
    if (entry.used < rule.limit) continue;
    const trips = entry.used === rule.limit && rule.lockSeconds !== undefined;
    const endsAt = trips ? now + (rule.lockSeconds as number) * 1000 : entry.endsAt;
    localCounts.set(localName(bound), { used: rule.limit + 1, endsAt }, now, endsAt - now);
    throw lockedError(rule, Math.ceil((endsAt - now) / 1000));
  }
  for (const { bound, entry } of entries) {
    localCounts.set(localName(bound), { ...entry, used: entry.used + 1 }, now, entry.endsAt - now);
  }
  return rules;
}

const localName = ({ counter, generation }: BoundRule): string => `${counter} ${generation}`;
