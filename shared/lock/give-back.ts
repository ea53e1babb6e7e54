import type { Key } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import type { BoundRule } from './bind.ts';
import { forgetDenial } from './denial.ts';

/** The key that exempts a caller from some rules, and its lifetime. */
export interface CallerMark {
  key: Key;
  seconds: number;
}

/**
 * Gives back one charge of each rule with count: 'failure', after a success. It never deletes a counter, so that
 * parallel guesses are all counted, and gives nothing back to callers that a rule exempts. The state in the replay
 * record shows what is due: 1 charged, 2 given back. KEYS: replay record, each counter (followed by the key that
 * exempts, flag k), then the key of the mark, if there is one. ARGV: request id, life ms of the mark ('' without a
 * mark), then generation, limit and flag of each counter.
 */
const giveBackScript = new Script(lua`
if redis.call('GET', KEYS[1]) == ARGV[1] .. ';1' then
  redis.call('SET', KEYS[1], ARGV[1] .. ';2', 'KEEPTTL')
  local at = 1
  for i = 3, #ARGV, 3 do
    at = at + 1
    local counter, spared = KEYS[at], false
    if ARGV[i + 2] == 'k' then
      at = at + 1
      spared = redis.call('EXISTS', KEYS[at]) == 1
    end
    local generation, used = string.match(redis.call('GET', counter) or '', '^(%d+);(%d+)$')
    used = tonumber(used or '0')
    if not spared and generation == ARGV[i] and used > 0 and used <= tonumber(ARGV[i + 1]) then
      redis.call('SET', counter, generation .. ';' .. string.format('%d', used - 1), 'KEEPTTL')
    end
  end
end
if ARGV[2] ~= '' then redis.call('SET', KEYS[#KEYS], '1', 'PX', ARGV[2]) end
return 1
`);

/**
 * Gives back what `failure` rules charged, after a success, and sets the mark. At most one request; if it is sent
 * twice, it gives back once. `record`: key of the call's replay record, which holds its request id. Throws EngineError.
 */
export async function giveBack(
  rules: readonly BoundRule[],
  requestId: string,
  record: Key,
  mark?: CallerMark,
): Promise<void> {
  const charged = rules.filter(({ rule }) => rule.count === 'failure');
  if (charged.length === 0 && !mark) return;
  const keys = [record];
  const args: Array<string | number> = [];
  for (const bound of charged) {
    const { counter, generation, rule, spare } = bound;
    keys.push(counter, ...(spare ? [spare] : []));
    args.push(generation, rule.limit, spare ? 'k' : '');
    forgetDenial(bound);
  }
  if (mark) keys.push(mark.key);
  await evaluate(giveBackScript, keys, [requestId, mark ? mark.seconds * 1000 : '', ...args]);
}
