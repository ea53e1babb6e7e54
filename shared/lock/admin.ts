import { auditStatement, type Deed } from '../audit.ts';
import { query, type Row, type Transaction, withTransaction } from '../db.ts';
import { evaluate, Script } from '../redis.ts';
import type { IdentityName } from './policy.ts';
import { encodePolicy, type LockPolicy, policyKey } from './policy.ts';

/**
 * What operators set on a target at run time (rows E1-E5). MySQL is the truth; after each commit the copy in Redis is
 * written, with which every admission compares the version it knows: a change is in force with the next call.
 */
export type RuleIdentity = Extract<IdentityName, 'app' | 'user' | 'ip'>;
export const RULE_IDENTITIES: readonly RuleIdentity[] = ['app', 'user', 'ip'];

export interface OperatorRule {
  target: string;
  /** What is counted: the tuple of these. One rule for each tuple. */
  by: readonly RuleIdentity[];
  limit: number;
  windowSeconds: number;
  lockSeconds: number | null;
}

/** Sets the rule of (target, by), or changes it. */
export const setRule = (rule: OperatorRule, actor: string): Promise<void> => {
  const { target, limit, windowSeconds, lockSeconds } = rule;
  const by = RULE_IDENTITIES.filter((name) => rule.by.includes(name)).join(',');
  const deed = { actor, action: 'lock.set', subject: target, detail: { by, limit, windowSeconds, lockSeconds } };
  return changePolicy(deed, 0, async (transaction) => {
    await transaction.write(
      `INSERT INTO lock_rules (target, identities, call_limit, window_seconds, lock_seconds) VALUES (?, ?, ?, ?, ?)
       ON DUPLICATE KEY UPDATE call_limit = VALUES(call_limit), window_seconds = VALUES(window_seconds),
         lock_seconds = VALUES(lock_seconds)`,
      [target, by, limit, windowSeconds, lockSeconds],
    );
  });
};

export interface OperatorBlock {
  target: string;
  seconds: number;
  /** '': any. */
  app: string;
  user: string;
  ip: string;
}

/** Refuses whoever is meant until the time is over; a block of the same identities is replaced. */
export const blockTarget = (block: OperatorBlock, actor: string): Promise<void> => {
  const { target, seconds, app, user, ip } = block;
  const deed = { actor, action: 'lock.block', subject: target, detail: { seconds, app, user, ip } };
  return changePolicy(deed, 0, async (transaction) => {
    await transaction.write('DELETE FROM lock_blocks WHERE target = ? AND ends_at <= NOW(3)', [target]);
    await transaction.write(
      `INSERT INTO lock_blocks (target, app_id, user_id, ip, ends_at) VALUES (?, ?, ?, ?, NOW(3) + INTERVAL ? SECOND)
       ON DUPLICATE KEY UPDATE ends_at = VALUES(ends_at)`,
      [target, app, user, ip, seconds],
    );
  });
};

/** Lifts the operator's rules and blocks. The generation moves, so that what was counted so far counts as zero. */
export const clearTarget = (target: string, actor: string): Promise<void> =>
  changePolicy({ actor, action: 'lock.clear', subject: target }, 1, async (transaction) => {
    await transaction.write('DELETE FROM lock_rules WHERE target = ?', [target]);
    await transaction.write('DELETE FROM lock_blocks WHERE target = ?', [target]);
  });

/** The policy's row comes first: it serialises the changes of one target, and its version tells them apart. */
async function changePolicy(deed: Deed, generations: 0 | 1, work: (transaction: Transaction) => Promise<void>) {
  await withTransaction(async (transaction) => {
    await transaction.write(
      `INSERT INTO lock_policies (target, version, generation) VALUES (?, 1, ?)
       ON DUPLICATE KEY UPDATE version = version + 1, generation = generation + VALUES(generation)`,
      [deed.subject, generations],
    );
    await work(transaction);
    await transaction.write(...auditStatement(deed));
  });
  await publish(await listPolicies(deed.subject));
}

/** cache-warm calls it each minute: a flush of Redis, or an operator's death after his commit, is made good by it. */
export async function rewritePolicies(): Promise<number> {
  const policies = await listPolicies();
  for (let start = 0; start < policies.length; start += PER_REQUEST) {
    await publish(policies.slice(start, start + PER_REQUEST));
  }
  return policies.length;
}

const PER_REQUEST = 100;

/** An older version never lands on a newer one. KEYS: policies. ARGV: life ms, then version and policy of each. */
const publishScript = new Script(`
for i, key in ipairs(KEYS) do
  local stored = tonumber(string.match(redis.call('GET', key) or '', '^(%d+);') or '-1')
  if stored <= tonumber(ARGV[2 * i]) then redis.call('SET', key, ARGV[2 * i + 1], 'PX', ARGV[1]) end
end
return 1
`);

/** Throws EngineError: the change stands in MySQL then, and is in force within a minute. */
async function publish(policies: readonly StoredPolicy[]): Promise<void> {
  if (policies.length === 0) return;
  const args = policies.flatMap(({ target, ...policy }) => [policy.version, encodePolicy(policy)]);
  const keys = policies.map(({ target }) => policyKey(target));
  await evaluate(publishScript, keys, [policyKey.family.ttlSeconds * 1000, ...args]);
}

export type StoredPolicy = LockPolicy & { target: string };

/** As MySQL has them, from one statement, so that version and content belong together. Blocks that ended are left out. */
export async function listPolicies(target?: string): Promise<StoredPolicy[]> {
  const where = target === undefined ? '' : 'WHERE p.target = ?';
  const rows = await query(
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

function addTo(policies: Map<string, StoredPolicy>, row: Row): void {
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
      by: String(row.identities).split(',') as RuleIdentity[],
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
