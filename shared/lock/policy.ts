import { keyFamily } from '../keys.ts';

/** What a rule may count by. */
export type IdentityName = 'app' | 'user' | 'ip' | 'resource' | 'account' | 'session';

/**
 * What the operator set for a target at run time: rules and blocks. MySQL is the truth; one Redis key per target holds
 * the copy that every admission compares its version with, so that a change is in force with the next call.
 */
export interface LockPolicy {
  version: number;
  /** Counters of another generation count as zero: that is `lock clear`. */
  generation: number;
  rules: Array<{ by: IdentityName[]; limit: number; windowSeconds: number; lockSeconds?: number }>;
  blocks: Array<{ app: string; user: string; ip: string; endsAt: number }>;
}

/** Written again by cache-warm each minute: a flush forgets no rule for longer. */
export const policyKey = keyFamily<[string]>({
  area: 'lock',
  name: 'policy',
  version: 1,
  parts: ['text'],
  ttlSeconds: 3_600,
});

const NONE: LockPolicy = { version: 0, generation: 0, rules: [], blocks: [] };
const MAX_TARGETS = 1_000;
const known = new Map<string, LockPolicy>();

/** What this process knows; an absent key in Redis takes nothing away from it. */
export const knownPolicy = (target: string): LockPolicy => known.get(target) ?? NONE;

/** false: it is unreadable, and what was known before is still known. */
export function learnPolicy(target: string, stored: string): boolean {
  const policy = decodePolicy(stored);
  if (!policy) return false;
  if (known.size >= MAX_TARGETS) known.clear();
  known.set(target, policy);
  return true;
}

/** `<version>;<json>`: the script reads the version alone. */
export const encodePolicy = (policy: LockPolicy): string => `${policy.version};${JSON.stringify(policy)}`;

function decodePolicy(stored: string): LockPolicy | undefined {
  const [, version, json] = /^(\d+);(.*)$/s.exec(stored) ?? [];
  try {
    const policy = JSON.parse(json ?? '') as LockPolicy | null;
    const readable = policy?.version === Number(version) && Array.isArray(policy.rules) && Array.isArray(policy.blocks);
    return readable ? policy : undefined;
  } catch {
    return undefined;
  }
}
