import { type Key, keyFamily } from '../keys.ts';
import { ipIdentity } from './ip-identity.ts';
import { knownPolicy, type LockPolicy } from './policy.ts';
import { type Identities, type IdentityName, type LockRule, type LockTarget, OPERATOR } from './rule.ts';

/** Finds the rules and blocks that apply to a caller. */

/** The parts of the key: target, rule and identity. */
const ruleKey = (name: string) =>
  keyFamily<[string, string, string]>({
    area: 'lock',
    name,
    version: 1,
    parts: ['text', 'id', 'text'],
    ttlSeconds: 31 * 86_400,
  });
const counterKey = ruleKey('count');
const strikesKey = ruleKey('strikes');

/** A rule together with the caller that it counts. */
export interface BoundRule {
  rule: LockRule;
  /** The generation of the target's policy. Counts of another generation are taken as zero. */
  generation: number;
  counter: Key;
  /** Counts recent locks of the caller, for rules whose locks escalate. */
  strikes: Key | undefined;
  /** While this key exists, the rule does not apply to the caller. */
  spare: Key | undefined;
  /** Hash of the session token of the call. A denial is remembered only for the same session. */
  holder: string;
}

/** The rules that count this caller: the declared ones of the targets, and those that operators set. */
export const bindRules = (targets: readonly LockTarget[], identities: Identities): BoundRule[] =>
  targets.flatMap((target) =>
    rulesOf(target)
      .filter(({ appliesTo }) => appliesTo?.(identities) ?? true)
      .map((rule) => bindRule(rule, target.name, identities)),
  );

/** All rules of a target. Those that operators set have their own names. */
export function rulesOf({ name, rules, replaceable = false }: LockTarget): LockRule[] {
  const set = knownPolicy(name).rules.map((rule) => operatorRule(rule, replaceable));
  const replaced = (rule: LockRule): boolean => replaceable && set.some(({ by }) => by.join() === rule.by.join());
  return [...rules.filter((rule) => !replaced(rule)), ...set];
}

export function bindRule(rule: LockRule, target: string, identities: Identities): BoundRule {
  const identity = identityText(rule.by, identities);
  return {
    rule,
    generation: knownPolicy(target).generation,
    holder: identities.session ?? '',
    counter: counterKey(target, rule.name, identity),
    strikes: rule.escalate && strikesKey(target, rule.name, identity),
    spare: rule.sparedBy?.(identities),
  };
}

const identityText = (by: readonly IdentityName[], identities: Identities): string =>
  by.map((name) => `${name}=${name in identities && identities[name] !== '' ? `+${identities[name]}` : '-'}`).join('|');

const operatorRule = (rule: LockPolicy['rules'][number], needsAll: boolean): LockRule => ({
  ...rule,
  name: OPERATOR + rule.by.join('-'),
  count: 'call',
  onError: 'open',
  // Without a user, calls of everybody would be one caller, and a stranger could lock out all logins.
  appliesTo: (identities) => rule.by.every((name) => identities[name] || !(needsAll || name === 'user')),
});

/** Seconds until the operator's block of this caller ends; 0: there is none. `now`: Unix milliseconds. */
export function blockedSeconds(targets: readonly LockTarget[], identities: Identities, now: number): number {
  for (const { name } of targets) {
    for (const { app, user, ip, endsAt } of knownPolicy(name).blocks) {
      const meant =
        (app === '' || app === identities.app) &&
        (user === '' || user === identities.user) &&
        (ip === '' || ipIdentity(ip) === identities.ip);
      if (meant && endsAt > now) return Math.ceil((endsAt - now) / 1000);
    }
  }
  return 0;
}
