import type { Key } from '../keys.ts';

/**
 * The identities that a rule may count by. `net56`, `net48`: wider networks of an IPv6 address. `device`: a device
 * mark. `peer`: the server of others that the call asks, such as a channel.
 */
export type IdentityName =
  | 'app'
  | 'user'
  | 'ip'
  | 'net56'
  | 'net48'
  | 'device'
  | 'peer'
  | 'resource'
  | 'account'
  | 'session';

/** The verified identities of a caller. Calls without an identity are counted together. */
export type Identities = Partial<Record<IdentityName, string>>;

/**
 * The API lock (rows E1 to E5): a lock by time, by count, or by both. One type of rule covers all: `limit`
 * calls for each window. Further calls are refused until the window ends, or for lockSeconds if it is set.
 */
export interface LockRule {
  name: string;
  /** The identities whose combination is counted. */
  by: IdentityName[];
  limit: number;
  windowSeconds: number;
  /** After the limit is passed, calls are refused for this time. */
  lockSeconds?: number;
  /** Each lock within the memory is `factor` times longer than the one before, at most `maxSeconds`. */
  escalate?: { factor: number; maxSeconds: number; memorySeconds: number };
  /** A refused call starts the lock again. */
  extend?: boolean;
  /**
   * call: every call. failure: the charge is given back when the call succeeds. miss: only reads that had to be loaded.
   */
  count: 'call' | 'failure' | 'miss';
  /** Redis is down: let the call pass, refuse it (503), or count in this process. */
  onError: 'open' | 'closed' | 'local';
  /** The rule counts and reports, but does not refuse. */
  shadow?: boolean;
  /** The rule does not apply to callers for whom this key exists. undefined: it applies to this caller. */
  sparedBy?: ((identities: Identities) => Key | undefined) | undefined;
  /** The calls that the rule counts. Default: all. */
  appliesTo?: (identities: Identities) => boolean;
}

/** A target of the lock with the rules that the code declares for it. */
export interface LockTarget {
  /** `data:<resource>` or a route key such as `POST /login`. */
  name: string;
  rules: readonly LockRule[];
  /**
   * An operator's rule that counts by the same identities replaces the declared one, and a rule counts only calls that
   * have all its identities. Default: operators' rules are added, and calls without an identity are counted together.
   */
  replaceable?: boolean;
}

/** The names of operators' rules begin with it. */
export const OPERATOR = 'operator-';

/**
 * Runs at start-up. Rejects duplicate names, impossible numbers, and rules that contradict themselves or each other: a
 * longer window may not allow less than a shorter one. Throws Error.
 */
export function checkRules(target: string, rules: readonly LockRule[]): readonly LockRule[] {
  const wrong = (why: string): never => {
    throw new Error(`lock rules of ${target}: ${why}`);
  };
  const names = new Set(rules.map(({ name }) => name));
  if (names.size < rules.length) wrong('two rules have the same name');
  for (const { name, by, count, limit, windowSeconds, lockSeconds, extend, escalate, sparedBy } of rules) {
    if (!/^[a-z][a-z0-9-]*$/.test(name) || name.startsWith(OPERATOR)) wrong(`${name} is not a valid rule name`);
    if (by.length === 0 || new Set(by).size < by.length)
      wrong(`${name} has no identity in "by", or the same one twice`);
    for (const number of [limit, windowSeconds, lockSeconds ?? 1]) {
      if (!Number.isSafeInteger(number) || number < 1) wrong(`${name} has a number that is not a positive integer`);
    }
    if ((extend || escalate) && lockSeconds === undefined)
      wrong(`${name} has "extend" or "escalate" without lockSeconds`);
    // A call that names a public app comes from anybody, so a stranger could lock out all its users.
    if (by.join() === 'app' && !sparedBy) wrong(`${name} counts by app alone; add ip or user, or spare known callers`);
    const shorter = rules.find(
      (other) =>
        other.count === count &&
        other.by.join() === by.join() &&
        other.windowSeconds < windowSeconds &&
        other.limit > limit,
    );
    if (shorter) wrong(`${shorter.name} has a shorter window and a higher limit than ${name}, so it never refuses`);
  }
  return rules;
}
