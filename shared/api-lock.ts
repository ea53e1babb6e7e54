import { isIPv6 } from 'node:net';
import { AppError } from './errors.ts';
import { type Key, keyFamily } from './keys.ts';
import { LocalCache } from './local-cache.ts';
import { knownPolicy, type LockPolicy } from './lock-policy.ts';

/**
 * The API lock (rows E1-E5): a resource is locked by time, by count, or by both. One rule type covers all:
 * `limit` calls per window; past it refused until the window ends, or for lockSeconds where given.
 */
export type IdentityName = 'app' | 'user' | 'ip' | 'resource' | 'account' | 'session';

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

/** IPv6 by /64 (one subscriber), an IPv4-mapped address equals its IPv4. '' when there is none. */
export function ipIdentity(ip: string | undefined): string {
  if (!ip) return '';
  const mapped = /^::ffff:(\d+\.\d+\.\d+\.\d+)$/i.exec(ip);
  if (mapped) return mapped[1] as string;
  if (!isIPv6(ip)) return ip;
  return `${expandIPv6(ip).slice(0, 4).join(':')}::/64`;
}

function expandIPv6(ip: string): string[] {
  const [front = '', back] = (ip.split('%')[0] as string).split('::');
  const head = front === '' ? [] : front.split(':');
  const tail = back === undefined || back === '' ? [] : back.split(':');
  const zeros = back === undefined ? [] : new Array<string>(Math.max(0, 8 - head.length - tail.length)).fill('0');
  return [...head, ...zeros, ...tail].map((group) => Number.parseInt(group, 16).toString(16));
}

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

/** Refusals this process remembers, so that a caller who goes on costs no request: at most 5 s, so that a lift works. */
const DENIAL_MS = 5_000;
const denials = new LocalCache<{ rule: LockRule; endsAt: number }>(5_000, DENIAL_MS);
const denialName = (bound: BoundRule): string => `${bound.counter} ${bound.generation} ${bound.holder}`;

export function rememberDenial(bound: BoundRule, waitMs: number): void {
  if (bound.rule.extend || bound.rule.shadow || bound.rule.count === 'miss') return;
  denials.set(denialName(bound), { rule: bound.rule, endsAt: Date.now() + waitMs }, Date.now(), waitMs);
}

export function rememberedDenial(rules: readonly BoundRule[]): AppError | undefined {
  for (const bound of rules) {
    const denial = denials.get(denialName(bound));
    if (denial) return lockedError(denial.rule, Math.ceil((denial.endsAt - Date.now()) / 1000));
  }
  return undefined;
}

/** Redis away: what each rule's onError says. Throws LOCKED or UNAVAILABLE. */
const localCounts = new LocalCache<{ used: number; endsAt: number }>(10_000, 3_600_000);

export function applyRulesWithoutRedis(rules: readonly BoundRule[]): void {
  for (const { rule, counter } of rules) {
    if (rule.onError === 'closed') throw new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 2 });
    if (rule.onError === 'open' || rule.shadow || rule.count === 'miss') continue;
    const now = Date.now();
    const entry = localCounts.get(counter) ?? { used: 0, endsAt: now + rule.windowSeconds * 1000 };
    if (entry.used >= rule.limit) throw lockedError(rule, Math.ceil((entry.endsAt - now) / 1000));
    localCounts.set(counter, { ...entry, used: entry.used + 1 }, now, entry.endsAt - now);
  }
}
