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

/** The declared rules of the targets and those that operators set, bound to this caller. */
export function bindRules(targets: readonly LockTarget[], identities: Identities): BoundRule[] {
  return targets.flatMap(({ name, rules }) => {
    const policy = knownPolicy(name);
    return [...rules, ...policy.rules.map(operatorRule)].map((rule) =>
      bindRule(rule, name, policy.generation, identities),
    );
  });
}

function bindRule(rule: LockRule, target: string, generation: number, identities: Identities): BoundRule {
  const identity = identityText(rule.by, identities);
  return {
    rule,
    generation,
    holder: identities.session ?? '',
    counter: counterKey(target, rule.name, identity),
    strikes: rule.escalate && strikesKey(target, rule.name, identity),
    spare: rule.sparedBy?.(identities),
  };
}

const identityText = (by: readonly IdentityName[], identities: Identities): string =>
  by.map((name) => `${name}=${name in identities && identities[name] !== '' ? `+${identities[name]}` : '-'}`).join('|');

const operatorRule = (rule: LockPolicy['rules'][number]): LockRule => ({
  ...rule,
  name: OPERATOR + rule.by.join('-'),
  count: 'call',
  onError: 'open',
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
