import { query } from '../db.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { encodePolicy, type LockPolicy, policyKey } from './policy.ts';
import type { IdentityName } from './rule.ts';

/** Policies as they are stored: MySQL has the original, Redis a copy for admission. */
type StoredPolicy = LockPolicy & { target: string };

/** Reads MySQL in one statement, so that version and content belong together. Blocks that ended are left out. */
export async function listPolicies(target?: string): Promise<StoredPolicy[]> {
  const where = target === undefined ? '' : 'WHERE p.target = ?';
  const rows = await query<PolicyRow>(
    `SELECT p.target, p.version, p.generation, r.identities, r.call_limit, r.window_seconds, r.lock_seconds,
            NULL AS app_id, NULL AS user_id, NULL AS ip, NULL AS ends_ms
       FROM lock_policies p LEFT JOIN lock_rules r ON r.target = p.target ${where}
     UNION ALL
     SELECT p.target, p.version, p.generation, NULL, NULL, NULL, NULL,
            b.app_id, b.user_id, b.ip, CAST(UNIX_TIMESTAMP(b.ends_at) * 1000 AS SIGNED)
       FROM lock_policies p JOIN lock_blocks b ON b.target = p.target AND b.ends_at > NOW(3) ${where}
     ORDER BY target, identities, ends_ms`,
    target === undefined ? [] : [target, target],
  );
  const byTarget = new Map<string, StoredPolicy>();
  for (const row of rows) addTo(byTarget, row);
  return [...byTarget.values()];
}

type PolicyColumn = 'target' | 'version' | 'generation';
type RuleColumn = 'identities' | 'call_limit' | 'window_seconds' | 'lock_seconds';
type BlockColumn = 'app_id' | 'user_id' | 'ip' | 'ends_ms';
/** A rule, a block (then the columns of a rule are null), or neither. */
type PolicyRow = Record<PolicyColumn | RuleColumn | BlockColumn, unknown>;

function addTo(policies: Map<string, StoredPolicy>, row: PolicyRow): void {
  const target = String(row.target);
  const policy: StoredPolicy = policies.get(target) ?? {
    target,
    version: Number(row.version),
    generation: Number(row.generation),
    rules: [],
    blocks: [],
  };
  policies.set(target, policy);
  if (row.identities !== null) {
    policy.rules.push({
      by: String(row.identities).split(',') as IdentityName[],
      limit: Number(row.call_limit),
      windowSeconds: Number(row.window_seconds),
      ...(row.lock_seconds !== null && { lockSeconds: Number(row.lock_seconds) }),
    });
  }
  if (row.ends_ms !== null) {
    const { app_id: app, user_id: user, ip } = row;
    policy.blocks.push({ app: String(app), user: String(user), ip: String(ip), endsAt: Number(row.ends_ms) });
  }
}

/** Called by cache-warm each minute. Writes again what a flush of Redis deleted or a change failed to publish. */
export async function rewritePolicies(): Promise<number> {
  const policies = await listPolicies();
  for (let start = 0; start < policies.length; start += PER_REQUEST) {
    await publishPolicies(policies.slice(start, start + PER_REQUEST));
  }
  return policies.length;
}

const PER_REQUEST = 100;

/** An older version never replaces a newer one. KEYS: policies. ARGV: life ms, then version and policy of each. */
const publishScript = new Script(lua`
for i, key in ipairs(KEYS) do
  local stored = tonumber(string.match(redis.call('GET', key) or '', '^(%d+);') or '-1')
  if stored <= tonumber(ARGV[2 * i]) then redis.call('SET', key, ARGV[2 * i + 1], 'PX', ARGV[1]) end
end
return 1
`);

/** Throws EngineError: then the change is stored in MySQL and applies within a minute. */
export async function publishPolicies(policies: readonly StoredPolicy[]): Promise<void> {
  if (policies.length === 0) return;
  const args = policies.flatMap(({ target, ...policy }) => [policy.version, encodePolicy(policy)]);
  const keys = policies.map(({ target }) => policyKey(target));
  await evaluate(publishScript, keys, [policyKey.family.ttlSeconds * 1000, ...args]);
}
