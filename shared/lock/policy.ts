import { keyFamily } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { count } from '../telemetry.ts';
import type { IdentityName, LockTarget } from './rule.ts';

/**
 * The rules and blocks that operators set for a target at run time. MySQL has the original. One Redis key for each
 * target holds a copy; every admission compares its version, so that a change applies to the next call.
 */
export interface LockPolicy {
  version: number;
  /** Counts of another generation are taken as zero; `lock clear` raises it. */
  generation: number;
  rules: Array<{ by: IdentityName[]; limit: number; windowSeconds: number; lockSeconds?: number }>;
  /** `endsAt`: Unix milliseconds. */
  blocks: Array<{ app: string; user: string; ip: string; endsAt: number }>;
}

/** cache-warm writes it again each minute, so after a flush no rule is missing for longer. */
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

/** The policy that this process knows. It is kept when the key in Redis is lost. */
export const knownPolicy = (target: string): LockPolicy => known.get(target) ?? NONE;

/** KEYS: a policy. ARGV: the value that was read. Deletes the key if it still has this value. */
const dropPolicyScript = new Script(lua`
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
`);

/**
 * Stores policies that operators changed. `changed`: the place of a target, counted from 1, then its stored policy, and
 * so on, as the script answered. An unreadable policy is deleted from Redis. Throws EngineError.
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

/** false: the policy is unreadable, and the former one is kept. */
export function learnPolicy(target: string, stored: string): boolean {
  const policy = decodePolicy(stored);
  if (!policy) return false;
  if (known.size >= MAX_TARGETS) known.clear();
  known.set(target, policy);
  return true;
}

/** `<version>;<json>`: the script reads only the version. */
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
