import { type Key, keyFamily } from '../keys.ts';
import { ipIdentity } from './ip-identity.ts';
import { knownPolicy, type LockPolicy } from './policy.ts';
import { type Identities, type IdentityName, type LockRule, type LockTarget, OPERATOR } from './rule.ts';

/** Which rules and blocks concern the caller. */

/** Of a target, a rule and an identity. */
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

/** A rule bound to the caller it counts. */
export interface BoundRule {
  rule: LockRule;
  /** Of its target's policy: what was counted under another one counts as zero. */
  generation: number;
  counter: Key;
  /** How often the caller was locked lately, where locks escalate. */
  strikes: Key | undefined;
  /** The rule spares the caller while this key exists. */
  spare: Key | undefined;
  /** Hash of the session token that came with the call: a denial is remembered for its holder alone. */
  holder: string;
}

/** The declared rules of the targets and those the operator set, bound to this caller. */
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

/** For how long an operator's block is still in force for this caller; 0: there is none. `now`: Unix milliseconds. */
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
