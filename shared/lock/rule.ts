import type { Key } from '../keys.ts';

/** What a rule may count by. */
export type IdentityName = 'app' | 'user' | 'ip' | 'resource' | 'account' | 'session';

/** Who calls: as verified, never as claimed. A missing identity counts in a bucket of its own. */
export type Identities = Partial<Record<IdentityName, string>>;

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
  /** A refused call starts the lock again. */
  extend?: boolean;
  /** call: every call. failure: given back when the call succeeds. miss: only reads that had to be loaded. */
  count: 'call' | 'failure' | 'miss';
  /** Redis is down: let pass, refuse (503), or count in this process. */
  onError: 'open' | 'closed' | 'local';
  /** Counts and reports, refuses nobody. */
  shadow?: boolean;
  /** The rule spares callers for whom this key exists. */
  sparedBy?: (identities: Identities) => Key;
}

/** What is locked, with the rules that stand in the code for it. */
export interface LockTarget {
  /** `data:<resource>` or a route key such as `POST /login`. */
  name: string;
  rules: readonly LockRule[];
}

/** Operators' rules begin with it. */
export const OPERATOR = 'operator-';

/**
 * Checked at start-up. Rejects duplicate names, impossible numbers, and rules that contradict themselves or each
 * other: a longer window may not allow less than a shorter one. Throws Error.
 */
export function checkRules(target: string, rules: readonly LockRule[]): readonly LockRule[] {
  const wrong = (why: string): never => {
    throw new Error(`lock rules of ${target}: ${why}`);
  };
  const names = new Set(rules.map(({ name }) => name));
  if (names.size < rules.length) wrong('two rules have one name, so a call would be counted twice');
  for (const { name, by, limit, windowSeconds, lockSeconds, extend, escalate } of rules) {
    if (!/^[a-z][a-z0-9-]*$/.test(name) || name.startsWith(OPERATOR)) wrong(`${name} is no name for a rule`);
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
