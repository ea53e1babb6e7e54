import { layout, letters, type Packed } from '../layout.ts';
import { lua } from '../script.ts';
import type { BoundRule } from './bind.ts';
import { knownPolicy, policyKey } from './policy.ts';
import type { LockTarget } from './rule.ts';

/** The lock inside admission's script: what TypeScript packs, by name, and the Lua that takes it by the same names. */

/** For changed_policies(): one POLICY for each target, with the version that this process knows. */
const TARGETS = layout({ targets: 'number' });
const POLICY = layout({ policy: 'key', known: 'text' });

export function packPolicies(targets: readonly LockTarget[], packed: Packed): void {
  TARGETS.pack(packed, { targets: targets.length });
  for (const { name } of targets) POLICY.pack(packed, { policy: policyKey(name), known: knownPolicy(name).version });
}

/** Lua. changed_policies() returns place and text of each policy whose version differs from the one known here. */
export const POLICIES = lua`
local function changed_policies()
  local changed = {}
  ${TARGETS.take}
  for i = 1, targets do
    ${POLICY.take}
    if policy and string.match(policy, '^(%d+);') ~= known then
      changed[#changed + 1], changed[#changed + 2] = int(i), policy
    end
  end
  return changed
end
`;

/** For ask_lock(): the remaining time of an operator's block, then each rule. */
const LOCK = layout({ blockedMs: 'number', ruleCount: 'number' });
const RULE = layout({
  counter: 'key',
  generation: 'text',
  limit: 'number',
  windowMs: 'number',
  lockMs: 'number',
  flags: 'text',
});
const FLAGS = letters({ extends: 'e', shadow: 's', countsMisses: 'm', escalates: 'x', canSpare: 'k' });
/** Follows a rule that escalates. */
const ESCALATION = layout({ strikes: 'key', factor: 'number', maxMs: 'number', memoryMs: 'number' });
/** Follows a rule from which a key can exempt the caller. */
const SPARE = layout({ spare: 'key' });

export function packRules(rules: readonly BoundRule[], blockedSeconds: number, packed: Packed): void {
  LOCK.pack(packed, { blockedMs: blockedSeconds * 1000, ruleCount: rules.length });
  for (const { rule, generation, counter, strikes, spare } of rules) {
    const { escalate } = rule;
    const flags = FLAGS.pack({
      extends: rule.extend === true,
      shadow: rule.shadow === true,
      countsMisses: rule.count === 'miss',
      escalates: strikes !== undefined,
      canSpare: spare !== undefined,
    });
    const [windowMs, lockMs] = [rule.windowSeconds * 1000, (rule.lockSeconds ?? 0) * 1000];
    RULE.pack(packed, { counter, generation, limit: rule.limit, windowMs, lockMs, flags });
    if (strikes && escalate) {
      const { factor, maxSeconds, memorySeconds } = escalate;
      ESCALATION.pack(packed, { strikes, factor, maxMs: maxSeconds * 1000, memoryMs: memorySeconds * 1000 });
    }
    if (spare) SPARE.pack(packed, { spare });
  }
}

/**
 * Lua. ask_lock(misses, again) reads all rules and writes nothing. It returns the place of the rule with the longest
 * wait (-1 for an operator's block, 0 if none refuses), the wait in ms, the counts to write, and the places of the
 * shadow rules that would refuse. If a rule refuses, the others are not charged. `again`: this request was charged
 * before.
 *
 * A counter is `<generation>;<used>`. While its lock lasts, `used` is one more than the limit. It ends with its window
 * or lock.
 *
 * write_counts(counts) writes the counts that ask_lock() returned: {key, value, ms}. Without ms the key keeps its end.
 */
export const RULES = lua`
local function count_of(stored, generation)
  local counted, count = string.match(stored or '', '^(%d+);(%d+)$')
  return counted == generation and tonumber(count) or 0
end
local function ask_lock(misses, again)
  ${LOCK.take}
  local refused, refusedMs, charges, trips, shadows = blockedMs > 0 and -1 or 0, blockedMs, {}, {}, ''
  for i = 1, ruleCount do
    ${RULE.take}
    ${ESCALATION.declare}
    ${SPARE.declare}
    if string.find(flags, ${FLAGS.lua.escalates}) then
      ${ESCALATION.assign}
    end
    if string.find(flags, ${FLAGS.lua.canSpare}) then
      ${SPARE.assign}
    end
    local used = count_of(counter, generation)
    local cost = string.find(flags, ${FLAGS.lua.countsMisses}) and misses or 1
    if spare or cost == 0 or again then
      -- Nothing is counted.
    elseif used + cost <= limit then
      charges[#charges + 1] = {counterKey, generation .. ';' .. int(used + cost), used == 0 and windowMs}
    elseif string.find(flags, ${FLAGS.lua.shadow}) then
      shadows = shadows .. i .. ','
    else
      local ms = used > 0 and redis.call('PTTL', counterKey) or windowMs
      local locked = used > limit
      if ms < 0 then
        -- The counter has no expiry: set one.
        ms = lockMs > 0 and lockMs or windowMs
        trips[#trips + 1] = {counterKey, counter, ms}
      end
      if lockMs > 0 and (not locked or string.find(flags, ${FLAGS.lua.extends})) then
        local lasts = lockMs
        if strikesKey then
          local strike = count_of(strikes, generation)
          lasts = math.min(maxMs, lockMs * factor ^ (locked and math.max(0, strike - 1) or strike))
          if not locked then trips[#trips + 1] = {strikesKey, generation .. ';' .. int(strike + 1), memoryMs} end
        end
        ms = locked and math.max(ms, lasts) or lasts
        trips[#trips + 1] = {counterKey, generation .. ';' .. int(limit + 1), ms}
      end
      ms = math.max(ms, 1)
      if ms > refusedMs then refused, refusedMs = i, ms end
    end
  end
  return refused, refusedMs, refused == 0 and charges or trips, shadows
end
local function write_counts(counts)
  for _, count in ipairs(counts) do
    if count[3] then redis.call('SET', count[1], count[2], 'PX', int(count[3]))
    else redis.call('SET', count[1], count[2], 'KEEPTTL') end
  end
end
`;
