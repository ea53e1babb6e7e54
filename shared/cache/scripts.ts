import { CLOCK } from '../clock.ts';
import { lua, Script } from '../script.ts';
import { STORED_FORM } from './value.ts';

/** The Lua scripts of the cache. value.ts describes the forms of stored values. */

/**
 * look() says what request `id` may do with a stored value. take_lease() writes the lease of a `lease`, `refresh` or
 * `reload`. States: hit; stale (another request refreshes the value); refresh (this request refreshes it while it is
 * fresh); reload (it is stale, and this request refreshes it); lease (this request loads it); wait (another request
 * loads it); bypass (a writer is at work: read the primary, fill nothing). `now`: of clock(); not needed without a
 * value.
 */
export const LOOK = lua`
local function look(value, id, now, early, ahead)
  if not value then return 'lease' end
  local kind = string.sub(value, 1, 1)
  if kind == 'J' or kind == 'Z' or kind == 'N' then
    local soft, delta, owner, till = string.match(value, '^.1;(%d+);(%d+);%d+;([^;@]*)@?(%d*);')
    if not soft then return 'lease' end
    soft = tonumber(soft)
    if now + (ahead or 0) + tonumber(delta) * early < soft then return 'hit' end
    if owner ~= '' and owner ~= id and now < tonumber(till) then return now < soft and 'hit' or 'stale' end
    return now < soft and 'refresh' or 'reload'
  end
  if kind == 'L' then
    local owner, till = string.match(value, '^L([^;@]+)@?(%d*)')
    if not owner or owner == id or (till ~= '' and now >= tonumber(till)) then return 'lease' end
    return 'wait'
  end
  if kind == 'T' then return 'bypass' end
  return 'lease'
end
local function take_lease(state, key, value, id, now, leaseMs)
  if state == 'lease' then
    local floor = value and (string.match(value, '^F(%d+)$') or string.match(value, '^L[^;]+;F(%d+)$'))
    if floor then
      local till = string.format('%d', now + leaseMs)
      redis.call('SET', key, 'L' .. id .. '@' .. till .. ';F' .. floor, 'PX', math.max(leaseMs, redis.call('PTTL', key)))
    else
      redis.call('SET', key, 'L' .. id, 'PX', leaseMs)
    end
  elseif state == 'refresh' or state == 'reload' then
    local before, after = string.match(value, '^(.1;%d+;%d+;%d+;)[^;]*(;.*)$')
    redis.call('SET', key, before .. id .. '@' .. string.format('%d', now + leaseMs) .. after, 'KEEPTTL')
  end
end
`;

/** KEYS: cache keys. ARGV: id, early, lease ms. Answer: state and value of each. */
export const lookupScript = new Script(lua`
${LOOK}
${CLOCK}
local id, early, leaseMs = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local values = redis.call('MGET', unpack(KEYS))
local answer, now = {}
for i, key in ipairs(KEYS) do
  local value = values[i]
  now = now or value and clock(key)
  local state = look(value, id, now, early)
  take_lease(state, key, value, id, now, leaseMs)
  answer[2 * i - 1] = state
  local shown = state == 'hit' or state == 'stale' or state == 'refresh' or state == 'reload'
  answer[2 * i] = shown and value or ''
end
return answer
`);

/**
 * For warming: takes leases for keys that are missing or become stale within ARGV[3] ms. Null markers, tombstones and
 * keys that others load are not changed. KEYS: cache keys. ARGV: id, lease ms, ahead ms. Answer for each: 1
 * leased, 0 not.
 */
export const claimScript = new Script(lua`
${LOOK}
${CLOCK}
local id, leaseMs, ahead = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local values = redis.call('MGET', unpack(KEYS))
local answer, now = {}
for i, key in ipairs(KEYS) do
  local value = values[i]
  now = now or value and clock(key)
  local state = look(value, id, now, 0, ahead)
  local due = state == 'refresh' or state == 'reload'
  local claimed = state == 'lease' or (due and string.sub(value, 1, 1) ~= 'N')
  if claimed then take_lease(state, key, value, id, now, leaseMs) end
  answer[i] = claimed and 1 or 0
end
return answer
`);

/**
 * Rows were changed: deletes their keys, which also ends leases. Where replicas are used each key gets a floor instead,
 * so that no fill is older than this version. A tombstone stays, because its writers are still at work. KEYS: cache
 * keys. ARGV: life ms of a floor, or 0 for none; then for each key a row version, or '-' for a key that gets no floor.
 */
export const sweepScript = new Script(lua`
local floorMs = tonumber(ARGV[1])
for i, key in ipairs(KEYS) do
  local stored = redis.pcall('GET', key)
  if type(stored) == 'table' then redis.call('DEL', key) stored = nil end
  if stored and string.sub(stored, 1, 1) == 'T' then
    -- Tombstone: not changed.
  elseif floorMs > 0 and ARGV[i + 1] ~= '-' then
    local floor = stored and (string.match(stored, '^F(%d+)$') or string.match(stored, '^L[^;]+;F(%d+)$'))
    floor = math.max(tonumber(floor or '0'), tonumber(ARGV[i + 1]))
    redis.call('SET', key, 'F' .. string.format('%d', floor), 'PX', floorMs)
  elseif stored then
    redis.call('DEL', key)
  end
end
return 1
`);

/**
 * fits() says whether a fill by `id` may replace the stored value. 1: yes. 0: the lease is gone, because of an
 * invalidation. 2: the value comes from a replica, and its version is below the floor or below the stored version.
 * `version`: 'P' for a value of the primary, which needs no minimum; otherwise the version of the replica's row, '' if
 * the replica has no row.
 */
const FITS = lua`
local function fits(stored, id, version)
  if not stored then return 0 end
  local owner, floor = string.match(stored, '^L([^;@]+)[^;]*;?F?(%d*)$')
  local kind = string.sub(stored, 1, 1)
  if not owner then floor, owner = string.match(stored, '^[JZN]1;%d+;%d+;(%d+);([^;@]*)@') end
  if owner ~= id then return 0 end
  if version == 'P' or floor == '' then return 1 end
  if kind == 'N' then return version == '' and 1 or 2 end
  return version ~= '' and tonumber(version) >= tonumber(floor) and 1 or 2
end
`;

/**
 * KEYS: cache keys. ARGV: id; then for each key value, TTL ms, and version as fits() takes it. The value has the form
 * that encodeValue() makes. Answer: that of fits() for each key. A null marker lives at least as long as the floor that
 * it replaces: a replica may still have the deleted row.
 */
export const fillScript = new Script(lua`
${FITS}
${CLOCK}
${STORED_FORM}
local id, answer, now = ARGV[1], {}
for i, key in ipairs(KEYS) do
  local stored, value, ttl = redis.call('GET', key), ARGV[3 * i - 1], tonumber(ARGV[3 * i])
  local fit = fits(stored, id, ARGV[3 * i + 1])
  if fit == 1 then
    if string.sub(value, 1, 1) == 'N' and string.match(stored, '^L[^;]+;F') then
      ttl = math.max(ttl, redis.call('PTTL', key))
    end
    now = now or clock(key)
    redis.call('SET', key, stored_form(value, now), 'PX', string.format('%d', ttl))
  end
  answer[i] = fit
end
return answer
`);

/**
 * The load failed: removes a lease, and keeps its floor. A stale value counts as fresh for ARGV[2] ms more, so that it
 * is served. KEYS: cache keys. ARGV: id, pause ms.
 */
export const giveUpScript = new Script(lua`
${CLOCK}
local id = ARGV[1]
for _, key in ipairs(KEYS) do
  local stored = redis.call('GET', key)
  if stored then
    local owner, floor = string.match(stored, '^L([^;@]+)[^;]*;?F?(%d*)$')
    if owner == id then
      if floor == '' then redis.call('DEL', key) else redis.call('SET', key, 'F' .. floor, 'KEEPTTL') end
    elseif not owner then
      local kind, rest, refresher, payload = string.match(stored, '^(.1;)%d+(;%d+;%d+;)([^;@]*)@%d+;(.*)$')
      if refresher == id then
        local soft = string.format('%d', clock(key) + tonumber(ARGV[2]))
        redis.call('SET', key, kind .. soft .. rest .. ';' .. payload, 'KEEPTTL')
      end
    end
  end
end
return 1
`);

/**
 * A writer of a strict family begins: adds it to the tombstone of each key. KEYS: cache keys. ARGV: writer, life ms.
 */
export const beginWriteScript = new Script(lua`
for _, key in ipairs(KEYS) do
  local stored = redis.call('GET', key)
  local writers = stored and string.match(stored, '^T(.+)$')
  if not writers then writers = ARGV[1]
  elseif not string.find(',' .. writers .. ',', ',' .. ARGV[1] .. ',', 1, true) then writers = writers .. ',' .. ARGV[1] end
  redis.call('SET', key, 'T' .. writers, 'PX', ARGV[2])
end
return 1
`);

/**
 * A writer of a strict family ends: removes it from each tombstone. The last writer deletes the key, so that the next
 * reader loads the committed row. KEYS: cache keys. ARGV: writer.
 */
export const endWriteScript = new Script(lua`
for _, key in ipairs(KEYS) do
  local stored = redis.call('GET', key)
  local writers = stored and string.match(stored, '^T(.+)$')
  local left = {}
  for writer in string.gmatch(writers or '', '[^,]+') do
    if writer ~= ARGV[1] then left[#left + 1] = writer end
  end
  if #left == 0 then redis.call('DEL', key)
  else redis.call('SET', key, 'T' .. table.concat(left, ','), 'KEEPTTL') end
end
return 1
`);

/**
 * Deletes unreadable values, unless the key has changed since. KEYS: cache keys. ARGV: the value that was read of each.
 */
export const dropScript = new Script(lua`
for i, key in ipairs(KEYS) do
  if redis.call('GET', key) == ARGV[i] then redis.call('DEL', key) end
end
return 1
`);
