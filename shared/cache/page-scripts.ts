import { CLOCK } from '../clock.ts';
import { lua, Script } from '../script.ts';
import { LOOK } from './scripts.ts';
import { STORED_FORM } from './value.ts';

/**
 * The Lua of list pages. A page is valid only under the generation in which it was loaded:
 *
 *     G<number>;<begun>                              generation: its number, and since when (Unix ms of Redis' clock)
 *     J1;<soft>;<delta>;<number>;<refresh>;<page>    page, in the place of the version the number     Z1;...  deflated
 *     L<request>;G<number>                           lease: this request loads the page
 *
 * A write deletes the generation, so that all pages and all loads under it are void at once. Nobody has to know which
 * pages exist. The number is drawn, never counted: a deleted generation cannot come back under an old number.
 */
export const GENERATION_MS = 600_000;

/**
 * look_page() is look() for a page. `again`: this request was admitted before, and its answer was lost. Then it must
 * not begin a generation: a writer may have deleted the one that it began first. Returns the state, the value if it
 * counts, the number and begin of the generation, and whether this request begins it.
 */
export const LOOK_PAGE = lua`
local function look_page(value, generation, drawn, again, id, now, early, ahead)
  local number, begun = string.match(generation or '', '^G(%d+);(%d+)$')
  if not number then
    if again then return 'bypass', nil, '0', now, false end
    return 'lease', nil, drawn, now, true
  end
  local own = value and (string.match(value, '^[JZ]1;%d+;%d+;(%d+);') or string.match(value, '^L[^;]+;G(%d+)$'))
  if own ~= number then value = nil end
  return look(value, id, now, early, ahead), value, number, tonumber(begun), false
end
local function lease_page(state, key, value, generationKey, number, begins, id, now, leaseMs)
  -- An id that the existence filter calls absent begins none.
  if begins and state == 'lease' then
    redis.call('SET', generationKey, 'G' .. number .. ';' .. string.format('%d', now), 'PX', ${GENERATION_MS})
  end
  if state == 'lease' then redis.call('SET', key, 'L' .. id .. ';G' .. number, 'PX', leaseMs)
  else take_lease(state, key, value, id, now, leaseMs) end
end
local function page_head(number, begun, now)
  return number .. ';' .. string.format('%d', now - begun) .. ';'
end
`;

/**
 * For warming, outside of admission. KEYS: page, generation. ARGV: id, number drawn, lease ms, ahead ms. Answer: 1 and
 * the head of the page if it was leased.
 */
export const claimPageScript = new Script(lua`
${LOOK}
${CLOCK}
${LOOK_PAGE}
local values, now, ahead = redis.call('MGET', KEYS[1], KEYS[2]), clock(KEYS[2]), tonumber(ARGV[4])
local page, generation = values[1], values[2]
-- A generation that ends within this time would end the page with it: a new one begins.
if generation and redis.call('PTTL', KEYS[2]) < ahead then generation = nil end
local state, value, number, begun, begins = look_page(page, generation, ARGV[2], false, ARGV[1], now, 0, ahead)
if state ~= 'lease' and state ~= 'refresh' and state ~= 'reload' then return {0, ''} end
lease_page(state, KEYS[1], value, KEYS[2], number, begins, ARGV[1], now, tonumber(ARGV[3]))
return {1, page_head(number, begun, now)}
`);

const MINE = lua`
local function is_mine(stored, id, number)
  if not stored then return false end
  if stored == 'L' .. id .. ';G' .. number then return true end
  local own, owner = string.match(stored, '^[JZ]1;%d+;%d+;(%d+);([^;@]*)@')
  return own == number and owner == id
end
`;

/**
 * KEYS: page. ARGV: id, number, value (of encodeValue, the number being its version), TTL ms. Answer: 1 stored, 0 the
 * lease is gone. It does not ask for the generation: a page of an old one counts for nobody.
 */
export const fillPageScript = new Script(lua`
${CLOCK}
${STORED_FORM}
${MINE}
if not is_mine(redis.call('GET', KEYS[1]), ARGV[1], ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], stored_form(ARGV[3], clock(KEYS[1])), 'PX', ARGV[4])
return 1
`);

/**
 * The load failed: removes a lease. A stale page counts as fresh for ARGV[3] ms more. KEYS: page. ARGV: id, number,
 * pause ms.
 */
export const giveUpPageScript = new Script(lua`
${CLOCK}
${MINE}
local stored = redis.call('GET', KEYS[1])
if not is_mine(stored, ARGV[1], ARGV[2]) then return 0 end
if string.sub(stored, 1, 1) == 'L' then return redis.call('DEL', KEYS[1]) end
local kind, rest, payload = string.match(stored, '^(.1;)%d+(;%d+;%d+;)[^;]*;(.*)$')
local soft = string.format('%d', clock(KEYS[1]) + tonumber(ARGV[3]))
redis.call('SET', KEYS[1], kind .. soft .. rest .. ';' .. payload, 'KEEPTTL')
return 1
`);
