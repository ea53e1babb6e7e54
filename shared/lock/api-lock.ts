import type { AppError } from '../errors.ts';
import type { Packed } from '../layout.ts';
import { count } from '../telemetry.ts';
import { type BoundRule, bindRules, blockedSeconds } from './bind.ts';
import { findDenial, rememberDenial } from './denial.ts';
import { type CallerMark, type CallRecord, type Charge, giveBack } from './give-back.ts';
import { learnPolicies } from './policy.ts';
import { blockedError, lockedError, OPERATOR_BLOCK } from './refusal.ts';
import type { Identities, LockTarget } from './rule.ts';
import { packPolicies, packRules } from './script.ts';
import { applyRulesWithoutRedis, giveBackHere } from './without-redis.ts';

/** A call that the lock has to check. */
export interface LockCall {
  /** The call passes only if the rules of all targets let it pass. */
  targets: readonly LockTarget[];
  identities: Identities;
}

/**
 * The API lock of one call (rows E1 to E5): the arguments for admission's script, in which changed_policies()
 * and ask_lock() of script.ts are two steps, and what follows from their answers.
 */
export interface ApiLock {
  /** Adds what changed_policies() takes. */
  packPolicies(packed: Packed): void;
  /** Adds what ask_lock() takes. */
  packRules(packed: Packed): void;
  /** Policies changed: stores them in this process. Then the lock has to be asked again. Throws EngineError. */
  learn(changed: readonly string[]): Promise<void>;
  /** Refused: counts and remembers the refusal, and returns the error to throw. */
  refusal(place: number, waitMs: number): AppError;
  /** Admitted: counts the shadow rules that would have refused. `places`: their places in the list of rules. */
  countShadows(places: string): void;
  /** After a success: gives back what `failure` rules charged, and sets the marks. Throws EngineError. */
  giveBack(...marks: CallerMark[]): Promise<void>;
  /**
   * After a failure of ours: gives back what all rules charged. `misses`: how many reads of the call counted as misses.
   * Throws EngineError.
   */
  giveBackAll(misses: number): Promise<void>;
  /** Redis is down: each lock rule follows its own `onError`. Throws LOCKED or UNAVAILABLE. */
  applyWithoutRedis(): void;
}

/**
 * Throws LOCKED if this process remembers a refusal for this caller. `record`: the call's replay record. `now`:
 * Unix milliseconds.
 */
export function askLock({ targets, identities }: LockCall, record: CallRecord, now: number): ApiLock {
  const rules = bindRules(targets, identities);
  const denial = findDenial(rules, now);
  if (denial) throw denial;
  const blocked = blockedSeconds(targets, identities, now);
  let shadows: readonly number[] = [];
  /** The rules that this process counted, because Redis was down, and whose charge was not given back yet. */
  let chargedHere: readonly BoundRule[] | undefined;
  const giveBackFrom = (due: (bound: BoundRule) => boolean): void => {
    giveBackHere((chargedHere ?? []).filter(due));
    chargedHere = chargedHere?.filter((bound) => !due(bound));
  };
  const chargesOf = (misses: number): Charge[] =>
    rules.map((bound, i) => ({
      bound,
      cost: shadows.includes(i + 1) ? 0 : bound.rule.count === 'miss' ? misses : 1,
    }));
  return {
    packPolicies: (packed) => packPolicies(targets, packed),
    packRules: (packed) => packRules(rules, blocked, packed),
    learn: (changed) => learnPolicies(targets, changed),
    refusal(place, waitMs) {
      const bound = rules[place - 1];
      const seconds = Math.ceil(waitMs / 1000);
      count(`lock.refused.${bound?.rule.name ?? OPERATOR_BLOCK}`);
      if (!bound) return blockedError(seconds);
      rememberDenial(bound, waitMs, now);
      return lockedError(bound.rule, seconds);
    },
    countShadows(places) {
      shadows = places.split(',').filter(Boolean).map(Number);
      for (const place of shadows) count(`lock.shadow.${rules[place - 1]?.rule.name}`);
    },
    giveBack: async (...marks) =>
      chargedHere
        ? giveBackFrom(({ rule }) => rule.count === 'failure')
        : giveBack('failures', chargesOf(0), record, marks),
    giveBackAll: async (misses) =>
      chargedHere ? giveBackFrom(() => true) : giveBack('all', chargesOf(misses), record),
    applyWithoutRedis() {
      applyRulesWithoutRedis(rules, blocked, now);
      chargedHere = rules;
    },
  };
}
