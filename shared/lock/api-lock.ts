import type { AppError } from '../errors.ts';
import type { Key } from '../keys.ts';
import { count } from '../telemetry.ts';
import { bindRules, blockedSeconds } from './bind.ts';
import { findDenial, rememberDenial } from './denial.ts';
import { type CallerMark, giveBack } from './give-back.ts';
import { learnPolicies } from './policy.ts';
import { blockedError, lockedError, OPERATOR_BLOCK } from './refusal.ts';
import type { Identities, LockTarget } from './rule.ts';
import { packPolicies, packRules, type Section } from './script.ts';
import { applyRulesWithoutRedis } from './without-redis.ts';

/** A call that the lock has to check. */
export interface LockCall {
  requestId: string;
  /** The call passes only if the rules of all targets let it pass. */
  targets: readonly LockTarget[];
  identities: Identities;
}

/**
 * The API lock of one call (rows E1 to E5): the arguments for admission's script, in which changed_policies()
 * and ask_lock() of script.ts are two steps, and what follows from their answers.
 */
export interface ApiLock {
  /** Keys and arguments of changed_policies(). */
  policies: Section;
  /** Keys and arguments of ask_lock(). */
  rules: Section;
  /** Policies changed: stores them in this process. Then the lock has to be asked again. Throws EngineError. */
  learn(changed: readonly string[]): Promise<void>;
  /** Refused: counts and remembers the refusal, and returns the error to throw. */
  refusal(place: number, waitMs: number): AppError;
  /** Admitted: counts the shadow rules that would have refused. `places`: their places in the list of rules. */
  countShadows(places: string): void;
  /** After a success: gives back what `failure` rules charged, and sets the mark. Throws EngineError. */
  giveBack(mark?: CallerMark): Promise<void>;
  /** Redis is down: each lock rule follows its own `onError`. Throws LOCKED or UNAVAILABLE. */
  applyWithoutRedis(): void;
}

/**
 * Throws LOCKED if this process remembers a refusal for this caller. `record`: key of the call's replay record. `now`:
 * Unix milliseconds.
 */
export function askLock({ requestId, targets, identities }: LockCall, record: Key, now: number): ApiLock {
  const rules = bindRules(targets, identities);
  const denial = findDenial(rules, now);
  if (denial) throw denial;
  const blocked = blockedSeconds(targets, identities, now);
  return {
    policies: packPolicies(targets),
    rules: packRules(rules, blocked),
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
      for (const place of places.split(',').filter(Boolean))
        count(`lock.shadow.${rules[Number(place) - 1]?.rule.name}`);
    },
    giveBack: (mark) => giveBack(rules, requestId, record, mark),
    applyWithoutRedis: () => applyRulesWithoutRedis(rules, blocked, now),
  };
}
