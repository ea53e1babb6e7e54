import { AppError } from '../errors.ts';
import { ipIdentity } from '../ip-identity.ts';
import { type Key, keyFamily } from '../keys.ts';
import { type IdentityName, knownPolicy, type LockPolicy } from './policy.ts';

/**
 * The API lock (rows E1-E5): a resource is locked by time, by count, or by both. One rule type covers all:
 * `limit` calls per window; past it refused until the window ends, or for lockSeconds where given.
 */
export interface LockRule {
  name: string;
  /** The identity that is counted: a tuple of these. */
  by: IdentityName[];
  limit: number;
  windowSeconds: number;
  /** Once past the limit, refused for this long. */
  lockSeconds?: number;
  /** Each further lock within the memory is `factor` times longer, up to `maxSeconds`. */
  escalate?: { factor: number; maxSeconds: number; memorySeconds: number };
  /** A refused call starts the lock anew. */
  extend?: boolean;
  /** call: every call. failure: given back when the call succeeds. miss: only reads that had to be loaded. */
  count: 'call' | 'failure' | 'miss';
  /** Redis away: let pass, refuse (503), or count in this process. */
  onError: 'open' | 'closed' | 'local';
  /** Counts and reports, refuses nobody. */
  shadow?: boolean;
  /** The rule spares callers for whom this key exists. */
  sparedBy?: (identities: Identities) => Key;
}

/**
 * Said at start-up, not at the first attack: names tell rules of one target apart, a longer window allows no less, and
 * what a rule cannot mean is refused. Throws Error.
 */
export function checkRules(target: string, rules: readonly LockRule[]): readonly LockRule[] {
  const wrong = (why: string): never => {
    throw new Error(`lock rules of ${target}: ${why}`);
  };
  const names = new Set(rules.map(({ name }) => name));
  if (names.size < rules.length) wrong('two rules have one name, so a call would be counted twice');
  for (const { name, by, limit, windowSeconds, lockSeconds, extend, escalate } of rules) {
    if (!/^[a-z][a-z0-9-]*$/.test(name) || name.startsWith('operator-')) wrong(`${name} is no name for a rule`);
    if (by.length === 0 || new Set(by).size < by.length) wrong(`${name} counts no identity, or one twice`);
    for (const number of [limit, windowSeconds, lockSeconds ?? 1]) {
      if (!Number.isSafeInteger(number) || number < 1) wrong(`${name} has a number that is not whole and positive`);
    }
    if ((extend || escalate) && lockSeconds === undefined) wrong(`${name} extends a lock that it does not set`);
    const shorter = rules.find(
      (other) => other.by.join() === by.join() && other.windowSeconds < windowSeconds && other.limit > limit,
    );
    if (shorter) wrong(`${shorter.name} allows more than ${name} in a shorter window, so it never refuses`);
  }
  return rules;
}

/** As verified, never as claimed. A missing identity counts in a bucket of its own. */
export type Identities = Partial<Record<IdentityName, string>>;

const counterKey = keyFamily<[string, string, string]>({
  area: 'lock',
  name: 'count',
  version: 1,
  parts: ['text', 'id', 'text'],
  ttlSeconds: 31 * 86_400,
});
const strikesKey = keyFamily<[string, string, string]>({
  area: 'lock',
  name: 'strikes',
  version: 1,
  parts: ['text', 'id', 'text'],
  ttlSeconds: 31 * 86_400,
});

const identityText = (by: readonly IdentityName[], identities: Identities): string =>
  by.map((name) => `${name}=${name in identities && identities[name] !== '' ? `+${identities[name]}` : '-'}`).join('|');

/** A rule bound to the caller it counts now. */
export interface BoundRule {
  rule: LockRule;
  target: string;
  generation: number;
  counter: Key;
  strikes: Key | undefined;
  spare: Key | undefined;
  /** Hash of the presented session token: a denial is remembered for its holder alone. */
  holder: string;
}

export interface LockTarget {
  /** `data:<resource>` or a route key such as `POST /login`. */
  name: string;
  rules: readonly LockRule[];
}

/** The declared rules of the targets and those the operator set, bound to this caller. */
export function bindRules(targets: readonly LockTarget[], identities: Identities): BoundRule[] {
  return targets.flatMap(({ name, rules }) => {
    const policy = knownPolicy(name);
    return [...rules, ...policy.rules.map(operatorRule)].map((rule) => bindRule(rule, name, policy, identities));
  });
}

function bindRule(rule: LockRule, target: string, policy: LockPolicy, identities: Identities): BoundRule {
  const identity = identityText(rule.by, identities);
  return {
    rule,
    target,
    generation: policy.generation,
    holder: identities.session ?? '',
    counter: counterKey(target, rule.name, identity),
    strikes: rule.escalate && strikesKey(target, rule.name, identity),
    spare: rule.sparedBy?.(identities),
  };
}

const operatorRule = (rule: LockPolicy['rules'][number]): LockRule => ({
  name: `operator-${rule.by.join('-')}`,
  by: rule.by,
  limit: rule.limit,
  windowSeconds: rule.windowSeconds,
  ...(rule.lockSeconds !== undefined && { lockSeconds: rule.lockSeconds }),
  count: 'call',
  onError: 'open',
});

/** An operator's block that is in force for this caller, with the seconds it still has. */
export function activeBlock(targets: readonly LockTarget[], identities: Identities, now = Date.now()) {
  for (const { name } of targets) {
    for (const block of knownPolicy(name).blocks) {
      const meant =
        (block.app === '' || block.app === identities.app) &&
        (block.user === '' || block.user === identities.user) &&
        (block.ip === '' || ipIdentity(block.ip) === identities.ip);
      if (meant && block.endsAt > now)
        return { rule: 'operator-block', seconds: Math.ceil((block.endsAt - now) / 1000) };
    }
  }
  return undefined;
}

/**
 * 429 with Retry-After, and RateLimit and RateLimit-Policy (IETF draft-ietf-httpapi-ratelimit-headers-10) that name
 * the rule that refused.
 */
export function lockedError(rule: { name: string; limit: number; windowSeconds: number }, seconds: number): AppError {
  const wait = Math.max(1, seconds);
  return new AppError('LOCKED', undefined, {
    retryAfterSeconds: wait,
    headers: {
      ratelimit: `"${rule.name}";r=0;t=${wait}`,
      'ratelimit-policy': `"${rule.name}";q=${rule.limit};w=${rule.windowSeconds}`,
    },
  });
}
