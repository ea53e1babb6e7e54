import type { Key } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { type BoundRule, bindRule, blockedSeconds, rulesOf } from './bind.ts';
import { encodePolicy, learnPolicy } from './policy.ts';
import { type Identities, type IdentityName, type LockTarget, OPERATOR } from './rule.ts';
import { listPolicies } from './stored-policy.ts';

/** The state of a rule for one identity. Reading it charges nothing. */
export interface RuleState {
  rule: string;
  setBy: 'code' | 'operator';
  by: readonly IdentityName[];
  limit: number;
  windowSeconds: number;
  lockSeconds: number | null;
  /** Identities that the rule counts by and that were not given; then its count is unknown. */
  missing: readonly IdentityName[];
  used: number;
  left: number;
  locked: boolean;
  /** Seconds until the window or the lock ends; 0: nothing is counted now. */
  endsInSeconds: number;
  /** The rule does not count this caller. */
  spared: boolean;
}

interface Peek {
  /** 0: no operator block applies to this identity. */
  blockedForSeconds: number;
  rules: RuleState[];
}

/** `target`: with the rules that the code declares for it. `now`: Unix milliseconds. */
export async function peekTarget(target: LockTarget, identities: Identities, now = Date.now()): Promise<Peek> {
  const [policy] = await listPolicies(target.name);
  if (policy) learnPolicy(target.name, encodePolicy(policy));
  const bound = rulesOf(target)
    .filter(({ by }) => by.every((name) => identities[name] || !isLeftOut(name, identities)))
    .map((rule) => bindRule(rule, target.name, identities));
  const counters = await readCounters(bound);
  const rules = bound.map((one, index) => ({
    ...stateOf(one, counters[index] as Counter),
    setBy: one.rule.name.startsWith(OPERATOR) ? ('operator' as const) : ('code' as const),
    missing: one.rule.by.filter((name) => !identities[name]),
  }));
  return { blockedForSeconds: blockedSeconds([target], identities, now), rules };
}

/** An IPv4 address has no networks, and not every device has a mark: rules that count by them do not apply to it. */
const isLeftOut = (name: IdentityName, { ip }: Identities): boolean =>
  name === 'device' || (Boolean(ip) && (name === 'net56' || name === 'net48'));

type Counter = [stored: string, leftMs: number, spared: number];

/**
 * KEYS: for each rule its counter, then the key that exempts, or the counter again. Answer: a Counter for each rule.
 */
const peekScript = new Script(lua`
local answer = {}
for i = 1, #KEYS, 2 do
  local spared = KEYS[i + 1] ~= KEYS[i] and redis.call('EXISTS', KEYS[i + 1]) or 0
  answer[#answer + 1] = {redis.call('GET', KEYS[i]) or '', redis.call('PTTL', KEYS[i]), spared}
end
return answer
`);

const readCounters = async (rules: readonly BoundRule[]): Promise<Counter[]> => {
  const keys: Key[] = rules.flatMap(({ counter, spare }) => [counter, spare ?? counter]);
  return keys.length === 0 ? [] : evaluate<Counter[]>(peekScript, keys, []);
};

function stateOf(
  { rule, generation }: BoundRule,
  [stored, leftMs, spared]: Counter,
): Omit<RuleState, 'setBy' | 'missing'> {
  const [, charged, used] = /^(\d+);(\d+)$/.exec(stored) ?? [];
  const counts = charged === String(generation) ? Number(used) : 0;
  return {
    rule: rule.name,
    by: rule.by,
    limit: rule.limit,
    windowSeconds: rule.windowSeconds,
    lockSeconds: rule.lockSeconds ?? null,
    // While a lock lasts, the counter is one more than the limit.
    used: Math.min(counts, rule.limit),
    left: Math.max(0, rule.limit - counts),
    locked: spared === 0 && counts >= rule.limit,
    endsInSeconds: counts > 0 ? Math.ceil(Math.max(0, leftMs) / 1000) : 0,
    spared: spared === 1,
  };
}
