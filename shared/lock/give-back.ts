import type { Key } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import type { BoundRule } from './bind.ts';
import { forgetDenial } from './denial.ts';

/** The key that exempts a caller from some rules, and its lifetime. */
export interface CallerMark {
  key: Key;
  seconds: number;
  /** Of this kind at most so many new marks are set, counted for so many seconds. undefined: any number. */
  limit?: { counter: Key; most: number; seconds: number };
}

/** The replay record of a call, a field of a hash. Its value is the id and, as the last character, the state. */
export interface CallRecord {
  bucket: Key;
  field: string;
  /** Of the request, as the record holds it. */
  id: string;
}

/** A rule that charged a call, and how much. */
export interface Charge {
  bound: BoundRule;
  cost: number;
}

/**
 * Gives back what a call was charged. `failures`, after a success: what rules with count: 'failure' charged. `all`,
 * after a failure of ours: what all rules charged. It gives nothing back to callers that a rule exempts. The state in
 * the replay record shows what is due: 1 charged, 2 the failures were given back, 3 everything was given back.
 *
 * A counter that reaches zero is deleted: no other call is charged at that moment. With `all` a lock ends, and its
 * strike is taken back: it began because of calls that we failed, and the limit is not reached without them. The
 * counter then lives for a whole window again: the calls that were not failed by us stay counted as long as they would
 * have.
 *
 * KEYS: the hash of the replay record, each counter (followed by the key that exempts, flag k, and by the strikes, flag
 * x), then each mark, followed by the counter of its limit. ARGV: field and id of the record, 'failures' or 'all', the
 * number of counters, then generation, limit, window in ms, cost and flags of each counter (flag f: a failure rule),
 * then of each mark its life in ms, its limit (0: none), and for how many ms new marks are counted.
 *
 * A mark that exists is not new, so a script that is sent twice counts it once.
 */
const giveBackScript = new Script(lua`
local field, id, all, counters = ARGV[1], ARGV[2], ARGV[3] == 'all', tonumber(ARGV[4])
local record = redis.call('HGET', KEYS[1], field) or ''
local state = string.sub(record, 1, -2) == id and string.sub(record, -1) or ''
local due = state == '1' or (all and state == '2')
if due then redis.call('HSET', KEYS[1], field, id .. (all and '3' or '2')) end
local function int(value) return string.format('%d', value) end
local function lower(key, generation, cost, limit, windowMs)
  local counted, used = string.match(redis.call('GET', key) or '', '^(%d+);(%d+)$')
  used = tonumber(used or '0')
  local locked = limit and used > limit
  if counted ~= generation or used == 0 or (locked and not all) then return false end
  local left = (locked and limit or used) - cost
  local value = generation .. ';' .. int(left)
  if left <= 0 then redis.call('DEL', key)
  elseif locked then redis.call('SET', key, value, 'PX', windowMs)
  else redis.call('SET', key, value, 'KEEPTTL') end
  return locked
end
local at = 1
for i = 5, 4 + 5 * counters, 5 do
  local generation, limit, windowMs = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  local cost, flags = tonumber(ARGV[i + 3]), ARGV[i + 4]
  at = at + 1
  local counter, spared, strikes = KEYS[at], false, nil
  if string.find(flags, 'k') then
    at = at + 1
    spared = due and redis.call('EXISTS', KEYS[at]) == 1
  end
  if string.find(flags, 'x') then
    at = at + 1
    strikes = KEYS[at]
  end
  if due and not spared and (state == '1' or not string.find(flags, 'f')) then
    if lower(counter, generation, cost, limit, windowMs) and strikes then lower(strikes, generation, 1) end
  end
end
local function is_within(mark, counter, most, countedMs)
  if redis.call('EXISTS', mark) == 1 then return true end
  local set = tonumber(redis.call('GET', counter) or '0')
  if set >= most then return false end
  if set == 0 then redis.call('SET', counter, '1', 'PX', countedMs)
  else redis.call('INCR', counter) end
  return true
end
for i = 5 + 5 * counters, #ARGV, 3 do
  local lifeMs, most, countedMs = ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2]
  at = at + 1
  local mark, within = KEYS[at], true
  if most > 0 then
    at = at + 1
    within = is_within(mark, KEYS[at], most, countedMs)
  end
  if within then redis.call('SET', mark, '1', 'PX', lifeMs) end
end
return 1
`);

/**
 * Gives charges back, and sets marks. At most one request; if it is sent twice, it gives back once. Throws EngineError.
 */
export async function giveBack(
  what: 'failures' | 'all',
  charges: readonly Charge[],
  record: CallRecord,
  marks: readonly CallerMark[] = [],
): Promise<void> {
  const due = charges.filter(({ bound, cost }) => cost > 0 && (what === 'all' || bound.rule.count === 'failure'));
  if (due.length === 0 && marks.length === 0) return;
  const keys = [record.bucket];
  const args: Array<string | number> = [record.field, record.id, what, due.length];
  for (const { bound, cost } of due) {
    const { counter, generation, rule, spare, strikes } = bound;
    keys.push(counter, ...(spare ? [spare] : []), ...(strikes ? [strikes] : []));
    const flags = `${spare ? 'k' : ''}${strikes ? 'x' : ''}${rule.count === 'failure' ? 'f' : ''}`;
    args.push(generation, rule.limit, rule.windowSeconds * 1000, cost, flags);
    forgetDenial(bound);
  }
  for (const { key, seconds, limit } of marks) {
    keys.push(key, ...(limit ? [limit.counter] : []));
    args.push(seconds * 1000, limit?.most ?? 0, (limit?.seconds ?? 0) * 1000);
  }
  await evaluate(giveBackScript, keys, args);
}
