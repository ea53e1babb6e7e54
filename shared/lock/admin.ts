import { withTransaction } from '../db.ts';
import { operatorLogStatement } from '../operator-log.ts';
import type { IdentityName } from './rule.ts';
import { listPolicies, publishPolicies } from './stored-policy.ts';

/**
 * Rules and blocks that operators set on a target at run time (rows E1 to E5). MySQL has the original. After
 * each commit the copy in Redis is written. Every admission compares its version, so a change applies to the next call.
 */
type RuleIdentity = Extract<IdentityName, 'app' | 'user' | 'ip'>;
export const RULE_IDENTITIES: readonly RuleIdentity[] = ['app', 'user', 'ip'];

interface OperatorRule {
  target: string;
  /** The identities whose combination is counted. There is one rule for each combination. */
  by: readonly RuleIdentity[];
  limit: number;
  windowSeconds: number;
  lockSeconds: number | null;
}

/** Sets the rule of (target, by) or replaces it. */
export const setRule = (rule: OperatorRule, actor: string): Promise<void> => {
  const { target, limit, windowSeconds, lockSeconds } = rule;
  const by = RULE_IDENTITIES.filter((name) => rule.by.includes(name)).join(',');
  const detail = { by, limit, windowSeconds, lockSeconds };
  return changePolicy({ target, action: 'lock.set', detail, actor }, [
    [
      `INSERT INTO lock_rules (target, identities, call_limit, window_seconds, lock_seconds) VALUES (?, ?, ?, ?, ?)
       ON DUPLICATE KEY UPDATE call_limit = VALUES(call_limit), window_seconds = VALUES(window_seconds),
         lock_seconds = VALUES(lock_seconds)`,
      [target, by, limit, windowSeconds, lockSeconds],
    ],
  ]);
};

interface OperatorBlock {
  target: string;
  seconds: number;
  /** '': every app, user or ip. */
  app: string;
  user: string;
  ip: string;
}

/** Refuses calls of these identities until the time is over. It replaces an earlier block of the same identities. */
export const blockTarget = (block: OperatorBlock, actor: string): Promise<void> => {
  const { target, seconds, app, user, ip } = block;
  return changePolicy({ target, action: 'lock.block', detail: { seconds, app, user, ip }, actor }, [
    ['DELETE FROM lock_blocks WHERE target = ? AND ends_at <= NOW(3)', [target]],
    [
      `INSERT INTO lock_blocks (target, app_id, user_id, ip, ends_at) VALUES (?, ?, ?, ?, NOW(3) + INTERVAL ? SECOND)
       ON DUPLICATE KEY UPDATE ends_at = VALUES(ends_at)`,
      [target, app, user, ip, seconds],
    ],
  ]);
};

/** Removes the operator's rules and blocks. It raises the generation, so that all counts so far are taken as zero. */
export const clearTarget = (target: string, actor: string): Promise<void> =>
  changePolicy({ target, action: 'lock.clear', detail: {}, actor }, [
    ['UPDATE lock_policies SET generation = generation + 1 WHERE target = ?', [target]],
    ['DELETE FROM lock_rules WHERE target = ?', [target]],
    ['DELETE FROM lock_blocks WHERE target = ?', [target]],
  ]);

interface PolicyChange {
  target: string;
  action: 'lock.set' | 'lock.block' | 'lock.clear';
  /** For the operator log. */
  detail: Record<string, unknown>;
  actor: string;
}
type Statement = [sql: string, values: Array<string | number | null>];

/**
 * The row of the policy is written first: its lock puts changes of one target in order, and each gets a new version.
 */
async function changePolicy({ target, action, detail, actor }: PolicyChange, statements: readonly Statement[]) {
  await withTransaction(async (transaction) => {
    await transaction.write(
      'INSERT INTO lock_policies (target, version, generation) VALUES (?, 1, 0) ON DUPLICATE KEY UPDATE version = version + 1',
      [target],
    );
    for (const statement of statements) await transaction.write(...statement);
    await transaction.write(...operatorLogStatement({ actor, action, subject: target, detail }));
  });
  await publishPolicies(await listPolicies(target));
}
