import { EngineError } from '../errors.ts';
import { batch } from '../redis.ts';
import { listPolicies } from './admin.ts';
import { activeBlock, bindRules, type Identities, type LockRule } from './api-lock.ts';
import type { IdentityName } from './policy.ts';
import { encodePolicy, learnPolicy } from './policy.ts';

/** How a rule stands for one identity. Looking charges nothing. */
export interface RuleState {
  rule: string;
  setBy: 'code' | 'operator';
  by: readonly IdentityName[];
  limit: number;
  windowSeconds: number;
  lockSeconds: number | null;
  /** Identities the rule counts by that were not named; its count is not known then. */
  missing: readonly IdentityName[];
  used: number;
  left: number;
  locked: boolean;
  /** Until the window or the lock ends; 0: nothing is counted now. */
  endsInSeconds: number;
  /** The rule lets this caller pass uncounted. */
  spared: boolean;
}

export interface Peek {
  /** 0: no block of the operator is in force for this identity. */
  blockedForSeconds: number;
  rules: RuleState[];
}

/** `declared`: the rules that stand in the code for this target. */
export async function peekTarget(target: string, declared: readonly LockRule[], identities: Identities): Promise<Peek> {
  const [policy] = await listPolicies(target);
  if (policy) learnPolicy(target, encodePolicy(policy));
  const bound = bindRules([{ name: target, rules: declared }], identities);
  const answers = await batch(
    bound.flatMap(({ counter, spare }) => [
      ['get', counter] as const,
      ['pttl', counter] as const,
      ['get', spare ?? counter] as const,
    ]),
  );
  const failed = answers.find((answer) => answer instanceof EngineError);
  if (failed) throw failed;
  const rules = bound.map(({ rule, generation, spare }, index): RuleState => {
    const [stored, ttlMs, mark] = answers.slice(3 * index);
    const [, charged, used] = /^(\d+);(\d+)$/.exec(String(stored ?? '')) ?? [];
    const counts = charged === String(generation) ? Number(used) : 0;
    const spared = spare !== undefined && mark !== null;
    return {
      rule: rule.name,
      setBy: index < declared.length ? 'code' : 'operator',
      by: rule.by,
      limit: rule.limit,
      windowSeconds: rule.windowSeconds,
      lockSeconds: rule.lockSeconds ?? null,
      missing: rule.by.filter((name) => !identities[name]),
      // A lock is kept as one more than the limit.
      used: Math.min(counts, rule.limit),
      left: Math.max(0, rule.limit - counts),
      locked: !spared && counts >= rule.limit,
      endsInSeconds: counts > 0 ? Math.ceil(Math.max(0, Number(ttlMs)) / 1000) : 0,
      spared,
    };
  });
  return { blockedForSeconds: activeBlock([{ name: target, rules: [] }], identities)?.seconds ?? 0, rules };
}
