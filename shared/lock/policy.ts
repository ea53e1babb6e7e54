import { keyFamily } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { count } from '../telemetry.ts';
import type { IdentityName, LockTarget } from './rule.ts';

/**
 * What the operator set for a target at run time: rules and blocks. MySQL is the truth; one Redis key per target holds
 * the copy that every admission compares its version with, so that a change is in force with the next call.
 */
export interface LockPolicy {
  version: number;
  /** Counters of another generation count as zero: that is `lock clear`. */
  generation: number;
  rules: Array<{ by: IdentityName[]; limit: number; windowSeconds: number; lockSeconds?: number }>;
  /** `endsAt`: Unix milliseconds. */
  blocks: Array<{ app: string; user: string; ip: string; endsAt: number }>;
}

/** Written again by cache-warm each minute: after a flush no rule is missing for longer. */
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

/** What this process knows. It stays known when the key in Redis is lost. */
export const knownPolicy = (target: string): LockPolicy => known.get(target) ?? NONE;

/** KEYS: a policy. ARGV: what was read of it. It is gone, unless something else stands there by now. */
const dropPolicyScript = new Script(lua`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`);

/**
 * The operator changed something: learns it. `changed`: place of a target from 1, its stored policy, and so on, as the
 * script answered. A policy that is unreadable is removed from Redis. Throws EngineError.
 */
export async function learnPolicies(targets: readonly LockTarget[], changed: readonly string[]): Promise<void> {
  for (let i = 0; i + 1 < changed.length; i += 2) {
    const target = targets[Number(changed[i]) - 1];
    const stored = changed[i + 1] as string;
    if (!target || learnPolicy(target.name, stored)) continue;
    count('lock.policy-unreadable');
    await evaluate(dropPolicyScript, [policyKey(target.name)], [stored]);
  }
}

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
