import { ASK } from '../cache/existence-filter.ts';
import { LOOK_PAGE } from '../cache/page-scripts.ts';
import { LOOK } from '../cache/scripts.ts';
import { STORED_FORM } from '../cache/value.ts';
import { CLOCK } from '../clock.ts';
import { POLICIES, RULES } from '../lock/script.ts';
import { lua, Script } from '../script.ts';
import { FORMER_SECONDS } from './replay-record.ts';
import { SINCE_MARK, SINCE_SECONDS } from './since-mark.ts';
import {
  ABSENT,
  ADMITTED,
  APART_READ,
  APP,
  CALL,
  CHECK,
  FILTER,
  FORMER,
  HOT,
  HOT_READ,
  LOCKED,
  NONCE,
  PAGE,
  PROVEN,
  READ,
  READ_ANSWER,
  READS,
  SESSION,
  SESSION_FILL,
  SESSION_KEYS,
  SIGNATURE,
  STRING_READ,
  TOKEN,
} from './wire.ts';

const LATE_MS = 3_000;

/**
 * Admission in one script: replay record -> session and app-off mark -> API lock -> read or lease the declared cache
 * keys. The script reads all keys, decides, then writes. It stops at the first refusal: the steps behind it change and
 * count nothing.
 *
 * wire.ts and lock/script.ts name the keys and arguments of each section, for this script and for pack.ts.
 *
 * A replay record holds `<id><state>`, the state being one character. State 0: refused, 1: admitted, 2: admitted, and
 * the charge was given back. After a lost answer the same request may come again. If it was admitted before, it passes
 * and is not charged again.
 */
export const admissionScript = new Script(lua`
${LOOK}
${LOOK_PAGE}
${STORED_FORM}
${ASK}
${CLOCK}
${SINCE_MARK}
local at, beyond, arg, values = 0, 0, 0
local function key() at = at + 1 return KEYS[at], values[at] end
local function other() beyond = beyond + 1 return KEYS[beyond] end
local function take() arg = arg + 1 return ARGV[arg] end
local function number() return tonumber(take()) end
local function int(value) return string.format('%d', value) end
${CALL.take}
beyond = strings
values = redis.call('MGET', unpack(KEYS, 1, strings))
${POLICIES}
${RULES}

-- 1. Operator policies. If the process knows another version of a policy, the script only returns the new one.
local changed = changed_policies()
if #changed > 0 then return {'policy', unpack(changed)} end

-- 2. Replay. Of two calls with the same token only one passes. All times are Redis'.
${TOKEN.take}
local now = clock(sinceKey)
local second = math.floor(now / 1000)
local function reply(verdict, ...) return {verdict, int(now), ...} end
${SIGNATURE.take}
${NONCE.declare}
if nonceToo then
  ${NONCE.assign}
end
for i = 1, formerRecords do
  ${FORMER.take}
  if former then return reply('replayed') end
end
local mark = read_mark(since, second)
if not mark then
  mark = new_mark(second)
  redis.call('SET', sinceKey, mark_text(mark), 'PX', ${SINCE_SECONDS * 1000})
end
-- Why the token may not be used for the first time. The window has some time more, for the way from the authorizer.
local function refusal_of_new()
  local ahead = stamp * 1000 - now
  if ahead > 300000 or ahead < -300000 - ${LATE_MS} then return 'window' end
  if not unsafe or stamp >= mark.since then return nil end
  return second < mark.begun + mark.pause and stamp > mark.since - mark.pause - 2 and 'unsure' or 'since'
end
local function nonce_is_used()
  return redis.call('SISMEMBER', earlierKey, member) == 1 or redis.call('SISMEMBER', laterKey, member) == 1
    or redis.call('SADD', epochKey, member) == 0
end
-- The record is written with state 1 and then changed if the call is refused: most calls pass. A read that nothing has
-- signed has none: otherwise anybody could fill the memory with them.
local recorded = signed or unsafe
local refusal, state = signed and refusal_of_new() or nil, '1'
if not recorded then
  state = 'new'
elseif refusal or redis.call('HSETNX', bucketKey, field, idInRecord .. state) == 0 then
  local record = redis.call('HGET', bucketKey, field)
  if not record and refusal then return reply(refusal) end
  if string.sub(record, 1, -2) ~= idInRecord then return reply('replayed') end
  state = string.sub(record, -1)
else
  redis.call('EXPIREAT', bucketKey, int(endsAt))
  if nonceToo then
    if nonce_is_used() then
      redis.call('HDEL', bucketKey, field)
      return reply('replayed')
    end
    redis.call('EXPIREAT', epochKey, int(epochEndsAt))
  end
  state = 'new'
end
local again = state ~= 'new' and state ~= '0'
local function finish(passes, ...)
  if not again then
    if recorded and passes == (state == '0') then redis.call('HSET', bucketKey, field, idInRecord .. (passes and '1' or '0')) end
    if unsafe and signed and passes and (not mark.ahead or stamp - second > mark.ahead) then
      mark.ahead = stamp - second
      redis.call('SET', sinceKey, mark_text(mark), 'PX', ${SINCE_SECONDS * 1000})
    end
  end
  return reply(...)
end

-- 3. Session. 'proven': MySQL has just confirmed it. The copy is written only if the lease of this request is still
-- there.
local shownSession, extendTo = '', false
${SESSION.take}
${SESSION_KEYS.declare}
if mode ~= '' then
  ${SESSION_KEYS.assign}
end
if mode == 'proven' then
  ${PROVEN.take}
  if fills then
    ${SESSION_FILL.take}
    if user == 'L' .. id then redis.call('SET', userKey, stored_form(version, now), 'PX', versionMs) end
    if session == 'L' .. id then redis.call('SET', sessionKey, stored_form(copy, now), 'PX', copyMs) end
  end
elseif mode == 'check' then
  ${CHECK.take}
  local state, userState = look(session, id, 0, 0), look(user, id, 0, 0)
  if state == 'hit' and string.sub(session, 1, 1) == 'N' then
    return finish(false, string.sub(session, -2) == ';E' and 'expired' or 'revoked')
  end
  local absolute, version = string.match(session or '', '^[JZ]1;(%d+);%d+;(%d+);')
  local current = string.match(user or '', '^J1;%d+;%d+;(%d+);')
  if state == 'hit' and (userState ~= 'hit' or version ~= current) then
    state = userState == 'bypass' and 'bypass' or 'lease'
  end
  if state ~= 'hit' then
    local answer = finish(false, 'absent', ${ABSENT.give})
    if state == 'lease' then
      redis.call('SET', sessionKey, 'L' .. id, 'PX', sessionLeaseMs)
      if userState == 'lease' then redis.call('SET', userKey, 'L' .. id, 'PX', sessionLeaseMs) end
    end
    return answer
  end
  local left = redis.call('PTTL', sessionKey) - graceMs
  absolute = tonumber(absolute)
  if left <= 0 or absolute <= now then return finish(false, 'expired') end
  shownSession = session
  -- Every five minutes, so that the time of the last use is right to that; the absolute end is checked above.
  if idleMs - left >= math.min(300000, idleMs / 2) then extendTo = now + idleMs + graceMs end
end
if unsafe then
  ${APP.take}
  if off and (off == 'off' or string.find(',' .. off .. ',', ',' .. keyId .. ',', 1, true)) then
    return finish(false, 'app-off')
  end
end

-- 4. Look at the declared reads. Nothing is leased yet, because the lock may count misses and refuse. Of a value of
-- kind 'apart' only the head is read here.
${READS.take}
local misses, reads = 0, {}
for i = 1, readCount do
  ${READ.take}
  ${STRING_READ.declare}
  ${PAGE.declare}
  local isApart, isPage = string.sub(kind, 1, 5) == 'apart', string.sub(kind, -4) == 'page'
  if isApart then
    ${APART_READ.assign}
    read = redis.pcall('GETRANGE', readKey, 0, 199)
    if read == '' or type(read) == 'table' then read = nil end
  else
    ${STRING_READ.assign}
  end
  local state, number, begun, begins
  if isPage then
    ${PAGE.assign}
    state, read, number, begun, begins = look_page(read, generation, drawn, again, id, now, early)
  else
    state = kind == 'plain' and kind or look(read, id, now, early)
  end
  if kind == 'plain' then
    read = read and int(redis.call('PTTL', readKey)) .. ';' .. read
  end
  if hashes ~= '' then
    ${FILTER.take}
    local isMissing = state == 'lease' or (kind == 'plain' and not read)
    if isMissing and not ask_filter(filterKey, hashes) then state = 'none' end
  end
  -- An id that the filter calls absent is a miss too, so that asking for absent ids has its price.
  if state == 'lease' or state == 'none' then misses = misses + 1 end
  reads[i] = {
    key = readKey, value = read, state = state, isApart = isApart,
    isPage = isPage, generationKey = generationKey, number = number, begun = begun, begins = begins,
  }
end

-- 5. API lock.
local refused, refusedMs, counts, shadows = ask_lock(misses, again)
if refused ~= 0 then
  local answer = finish(false, 'locked', ${LOCKED.give})
  write_counts(counts)
  return answer
end

-- 6. Admitted: now charge the rules, extend the session, take the leases.
local extended, young = extendTo ~= false, second < mark.begun + ${FORMER_SECONDS}
local answer = finish(true, 'admitted', ${ADMITTED.give})
write_counts(counts)
if extended then redis.call('PEXPIREAT', sessionKey, int(extendTo)) end
local SHOWN = {hit = true, stale = true, refresh = true, reload = true, plain = true}
for _, read in ipairs(reads) do
  local readKey, value, state = read.key, read.value, read.state
  if read.isApart and (state == 'refresh' or state == 'reload') then value = redis.call('GET', readKey) end
  if read.isPage then
    lease_page(state, readKey, value, read.generationKey, read.number, read.begins, id, now, leaseMs)
  else
    take_lease(state, readKey, value, id, now, leaseMs)
  end
  local given = not read.isApart and SHOWN[state]
  local stored = given and value or ''
  if read.isPage then stored = page_head(read.number, read.begun, now) .. stored end
  answer[#answer + 1], answer[#answer + 2] = ${READ_ANSWER.give}
end
-- A read is counted only if it found a value: a record that does not exist is never hot.
${HOT.take}
if hotPlace > 0 then
  ${HOT_READ.take}
  local value = reads[hotPlace].value
  if value and string.find(value, '^[JZ]') then
    redis.pcall('ZINCRBY', hotKey, 1, hotName)
    redis.pcall('PEXPIRE', hotKey, 86400000)
  end
end
return answer
`);
