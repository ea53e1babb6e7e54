import { ASK } from '../cache/existence-filter.ts';
import { LOOK } from '../cache/scripts.ts';
import { POLICIES, RULES } from '../lock/script.ts';
import { lua, Script } from '../script.ts';

/**
 * Admission in one script: replay record -> session and app-off mark -> API lock -> read or lease the declared cache
 * keys. The script reads all keys, decides, then writes. It stops at the first refusal: the steps behind it change and
 * count nothing.
 *
 * KEYS: the string keys, read by one MGET in the order of the sections below; then filter keys; then the keys of values
 * of kind `apart`; then the counter of hot keys. ARGV: number of string keys, request id, now ms, then the arguments of
 * each section. pack.ts and lock/script.ts pack them.
 *
 * A replay record holds `<id>;<state>`. State 0: refused, 1: admitted, 2: admitted, and the charge was given back.
 * After a lost answer the same request may come again. If it was admitted before, it passes and is not charged again.
 */
export const admissionScript = new Script(lua`
${LOOK}
${ASK}
local strings, id, now = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local values = redis.call('MGET', unpack(KEYS, 1, strings))
local at, arg = 0, 3
local function key() at = at + 1 return KEYS[at], values[at] end
local function take() arg = arg + 1 return ARGV[arg] end
local function number() return tonumber(take()) end
local function int(value) return string.format('%d', value) end
${POLICIES}
${RULES}

-- 1. Operator policies. If the process knows another version of a policy, the script only returns the new one.
local changed = changed_policies()
if #changed > 0 then return {'policy', unpack(changed)} end

-- 2. Replay. Of two calls with the same token only one passes. After a flush, unsafe calls that were signed before it
-- are refused.
local stamp, unsafe, recordCount = number(), take() == '1', number()
local sinceKey, since = key()
local records, known, again = {}, false, false
for i = 1, recordCount do
  local recordKey, record = key()
  records[i] = recordKey
  if record then
    if string.sub(record, 1, #id + 1) ~= id .. ';' then return {'replayed'} end
    known = true
    again = again or string.sub(record, -1) ~= '0'
  end
end
since = tonumber(since or '')
if since and unsafe and not known and stamp < since and now < (since + 300) * 1000 then return {'since'} end
-- The record of a token this old would end at once, so the token could be used again.
if now >= (stamp + 310) * 1000 then return {'replayed'} end
if not since then
  redis.call('SET', sinceKey, int(now / 1000), 'PX', 86400000)
  if unsafe and not known and stamp < math.floor(now / 1000) then return {'since'} end
end
local function finish(state, ...)
  if not again then
    for _, recordKey in ipairs(records) do redis.call('SET', recordKey, id .. ';' .. state, 'PXAT', int((stamp + 310) * 1000)) end
  end
  return {...}
end

-- 3. Session. 'proven': MySQL has just confirmed it. The copy is written only if the lease of this request is still
-- there.
local mode, session, extendTo = take(), '', false
local sessionKey, stored, userKey, user
if mode ~= '' then
  sessionKey, stored = key()
  userKey, user = key()
end
if mode == 'proven' then
  if take() == '1' then
    local copy, copyMs, version, versionMs = take(), take(), take(), take()
    if user == 'L' .. id then redis.call('SET', userKey, version, 'PX', versionMs) end
    if stored == 'L' .. id then redis.call('SET', sessionKey, copy, 'PX', copyMs) end
  end
elseif mode == 'check' then
  local idleMs, graceMs, leaseMs = number(), number(), number()
  local state, userState = look(stored, id, 0, 0), look(user, id, 0, 0)
  if state == 'hit' and string.sub(stored, 1, 1) == 'N' then
    return finish('0', string.sub(stored, -2) == ';E' and 'expired' or 'revoked')
  end
  local absolute, version = string.match(stored or '', '^[JZ]1;(%d+);%d+;(%d+);')
  local current = string.match(user or '', '^J1;%d+;%d+;(%d+);')
  if state == 'hit' and (userState ~= 'hit' or version ~= current) then
    state = userState == 'bypass' and 'bypass' or 'lease'
  end
  if state ~= 'hit' then
    local answer = finish('0', 'absent', state)
    if state == 'lease' then
      redis.call('SET', sessionKey, 'L' .. id, 'PX', leaseMs)
      if userState == 'lease' then redis.call('SET', userKey, 'L' .. id, 'PX', leaseMs) end
    end
    return answer
  end
  local left = redis.call('PTTL', sessionKey) - graceMs
  absolute = tonumber(absolute)
  if left <= 0 or absolute <= now then return finish('0', 'expired') end
  session = stored
  local next = math.min(idleMs, absolute - now)
  if left < idleMs / 2 and next > left + idleMs / 20 then extendTo = now + next + graceMs end
end
if take() == 'off-mark' then
  local _, off = key()
  local keyId = take()
  if off and (off == 'off' or string.find(',' .. off .. ',', ',' .. keyId .. ',', 1, true)) then
    return finish('0', 'app-off')
  end
end

-- 4. Look at the declared reads. Nothing is leased yet, because the lock may count misses and refuse. Of a value of
-- kind 'apart' only the head is read here.
local early, readLeaseMs, misses, filterAt, apartAt, reads = number(), number(), 0, strings, strings + number(), {}
for i = 1, number() do
  local kind, hashes, readKey, value = take(), take()
  if kind == 'apart' then
    apartAt = apartAt + 1
    readKey = KEYS[apartAt]
    value = redis.pcall('GETRANGE', readKey, 0, 199)
    if value == '' or type(value) == 'table' then value = nil end
  else
    readKey, value = key()
  end
  local state = kind == 'plain' and kind or look(value, id, now, early)
  if kind == 'plain' then
    value = value and int(redis.call('PTTL', readKey)) .. ';' .. value
  elseif hashes ~= '' then
    filterAt = filterAt + 1
    if state == 'lease' and not ask_filter(KEYS[filterAt], hashes) then state = 'none' end
  end
  if state == 'lease' then misses = misses + 1 end
  reads[i] = {readKey, value, state, kind}
end

-- 5. API lock.
local refused, refusedMs, counts, shadows = ask_lock(misses, again)
if refused ~= 0 then
  local answer = finish('0', 'locked', int(refused), int(refusedMs))
  write_counts(counts)
  return answer
end

-- 6. Admitted: now charge the rules, extend the session, take the leases.
local answer = finish('1', 'admitted', session, extendTo and '1' or '0', shadows)
write_counts(counts)
if extendTo then redis.call('PEXPIREAT', sessionKey, int(extendTo)) end
for _, read in ipairs(reads) do
  local readKey, value, state, kind = unpack(read, 1, 4)
  if kind == 'apart' and state == 'refresh' then value = redis.call('GET', readKey) end
  take_lease(state, readKey, value, id, now, readLeaseMs)
  answer[#answer + 1] = state
  local shown = kind ~= 'apart' and (state == 'hit' or state == 'stale' or state == 'refresh' or state == 'plain')
  answer[#answer + 1] = shown and value or ''
end
-- A read is counted only if it found a value: a record that does not exist is never hot.
local hotIndex, hot = number(), take()
local counted = reads[hotIndex]
if counted and counted[2] and string.find(counted[2], '^[JZ]') then
  redis.pcall('ZINCRBY', KEYS[#KEYS], 1, hot)
  redis.pcall('PEXPIRE', KEYS[#KEYS], 86400000)
end
return answer
`);
