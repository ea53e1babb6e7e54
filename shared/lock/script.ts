import type { Key } from '../keys.ts';
import { lua } from '../script.ts';
import type { BoundRule } from './bind.ts';
import { knownPolicy, policyKey } from './policy.ts';
import type { LockTarget } from './rule.ts';

/**
 * The lock inside admission's script. TypeScript packs keys and arguments here, and Lua takes them in the same order.
 * The Lua texts use functions of the script: key() returns the next key and its value, take() the next argument,
 * number() the next argument as a number, and int(n) a number as text.
 */
export interface Section {
  keys: Key[];
  args: Array<string | number>;
}

/** For changed_policies(): the number of targets, then for each the version that this process knows. */
export const packPolicies = (targets: readonly LockTarget[]): Section => ({
  keys: targets.map(({ name }) => policyKey(name)),
  args: [targets.length, ...targets.map(({ name }) => knownPolicy(name).version)],
});

/** Lua. changed_policies() returns place and text of each policy whose version differs from the one known here. */
export const POLICIES = lua`
local function changed_policies()
  local changed = {}
  for i = 1, number() do
    local known, _, policy = take(), key()
    if policy and string.match(policy, '^(%d+);') ~= known then
      changed[#changed + 1], changed[#changed + 2] = int(i), policy
    end
  end
  return changed
end
`;

/**
 * For ask_lock(): the remaining ms of an operator's block, the number of rules, then each rule. Flags: e the lock
 * extends, s shadow, m counts misses, x escalates (strikes), k a key can exempt the caller.
 */
export function packRules(rules: readonly BoundRule[], blockedSeconds: number): Section {
  const keys: Key[] = [];
  const args: Section['args'] = [blockedSeconds * 1000, rules.length];
  for (const { rule, generation, counter, strikes, spare } of rules) {
    const flags = `${rule.extend ? 'e' : ''}${rule.shadow ? 's' : ''}${rule.count === 'miss' ? 'm' : ''}${strikes ? 'x' : ''}${spare ? 'k' : ''}`;
    keys.push(counter);
    args.push(generation, rule.limit, rule.windowSeconds * 1000, (rule.lockSeconds ?? 0) * 1000, flags);
    if (strikes && rule.escalate) {
      keys.push(strikes);
      args.push(rule.escalate.factor, rule.escalate.maxSeconds * 1000, rule.escalate.memorySeconds * 1000);
    }
    if (spare) keys.push(spare);
  }
  return { keys, args };
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
  local refused, refusedMs, charges, trips, shadows = 0, number(), {}, {}, ''
  if refusedMs > 0 then refused = -1 end
  for i = 1, number() do
    local counterKey, counter = key()
    local generation, limit, windowMs, lockMs, flags = take(), number(), number(), number(), take()
    local strikesKey, strikes, factor, maxMs, memoryMs, spared
    if string.find(flags, 'x') then
      strikesKey, strikes = key()
      factor, maxMs, memoryMs = number(), number(), number()
    end
    if string.find(flags, 'k') then spared = select(2, key()) end
    local used = count_of(counter, generation)
    local cost = string.find(flags, 'm') and misses or 1
    if spared or cost == 0 or again then
      -- Nothing is counted.
    elseif used + cost <= limit then
      charges[#charges + 1] = {counterKey, generation .. ';' .. int(used + cost), used == 0 and windowMs}
    elseif string.find(flags, 's') then
      shadows = shadows .. i .. ','
    else
      local ms = used > 0 and redis.call('PTTL', counterKey) or windowMs
      local locked = used > limit
      if ms < 0 then
        -- The counter has no expiry: set one.
        ms = lockMs > 0 and lockMs or windowMs
        trips[#trips + 1] = {counterKey, counter, ms}
      end
      if lockMs > 0 and (not locked or string.find(flags, 'e')) then
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
