import { ASK } from '../cache/existence-filter.ts';
import { LOOK } from '../cache/scripts.ts';
import { Script } from '../redis.ts';

/**
 * Admission in one script: replay record -> session and app-off mark -> API lock -> get-or-lease of the declared cache
 * keys. It reads everything, decides, then writes. A refusal leaves whatever comes after the refusing step uncharged
 * and untouched.
 *
 * KEYS: the string keys, read by one MGET in the order of the sections below; then filter keys; then the keys of values
 * that are read apart; then the hot counter.
 * ARGV: number of string keys, request id, now ms, then the arguments of each section (admission.ts packs them).
 * The replay record holds `<id>;<state>`, state 0 refused, 1 admitted, 2 admitted and a charge given back: the same
 * request may come again after a lost answer; once admitted it passes and is charged nothing.
 */
export const admissionScript = new Script(`
${LOOK}
${ASK}
local strings, id, now = tonumber(ARGV[1]), ARGV[2], tonumber(ARGV[3])
local values = redis.call('MGET', unpack(KEYS, 1, strings))
local at, arg = 0, 3
local function key() at = at + 1 return KEYS[at], values[at] end
local function take() arg = arg + 1 return ARGV[arg] end
local function number() return tonumber(take()) end
local function int(value) return string.format('%d', value) end

-- 1. Operator policies. The process knows another version: nothing is done, the policy is returned.
local news = {'policy'}
for i = 1, number() do
  local _, policy = key()
  local known = take()
  if policy and string.match(policy, '^(%d+);') ~= known then news[#news + 1] = int(i) news[#news + 1] = policy end
end
if #news > 1 then return news end

-- 2. Replay. Of equal calls one passes; after a flush unsafe calls stamped before it are refused.
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
-- A record that would end at once keeps nobody from coming again.
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

-- 3. Session. 'proven': MySQL has just said that it lives; the copy lands only where no writer came between.
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

-- 4. What the declared reads would find; rules may count misses, so nothing is leased yet. Of a big value ('apart')
-- the head alone is read here: the value itself comes beside the script.
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

-- 5. API lock. All rules are looked at before one is charged; a refusing rule charges no other.
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
  local charged, used = string.match(counter or '', '^(%d+);(%d+)$')
  used = charged == generation and tonumber(used) or 0
  local cost = string.find(flags, 'm') and misses or 1
  if not spared and cost > 0 and not again then
    if used + cost <= limit then
      charges[#charges + 1] = {counterKey, generation .. ';' .. int(used + cost), used > 0, windowMs}
    elseif string.find(flags, 's') then
      shadows = shadows .. i .. ','
    else
      local ms = used > 0 and redis.call('PTTL', counterKey) or windowMs
      local locked = used > limit
      if ms < 0 then
        -- It lost its end: it gets one.
        ms = lockMs > 0 and lockMs or windowMs
        trips[#trips + 1] = {counterKey, counter, ms}
      end
      if lockMs > 0 and (not locked or string.find(flags, 'e')) then
        local lasts = lockMs
        if strikesKey then
          local struck, strike = string.match(strikes or '', '^(%d+);(%d+)$')
          strike = struck == generation and tonumber(strike) or 0
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
end
if refused ~= 0 then
  local answer = finish('0', 'locked', int(refused), int(math.max(1, refusedMs)))
  for _, trip in ipairs(trips) do redis.call('SET', trip[1], trip[2], 'PX', int(trip[3])) end
  return answer
end

-- 6. Admitted: now charge, extend, lease.
local answer = finish('1', 'admitted', session, extendTo and '1' or '0', shadows)
for _, charge in ipairs(charges) do
  if charge[3] then redis.call('SET', charge[1], charge[2], 'KEEPTTL')
  else redis.call('SET', charge[1], charge[2], 'PX', charge[4]) end
end
if extendTo then redis.call('PEXPIREAT', sessionKey, int(extendTo)) end
for _, read in ipairs(reads) do
  local readKey, value, state, kind = unpack(read, 1, 4)
  if kind == 'apart' and state == 'refresh' then value = redis.call('GET', readKey) end
  take_lease(state, readKey, value, id, now, readLeaseMs)
  answer[#answer + 1] = state
  local shown = kind ~= 'apart' and (state == 'hit' or state == 'stale' or state == 'refresh' or state == 'plain')
  answer[#answer + 1] = shown and value or ''
end
-- A sampled read counts when it found something: what does not exist is never hot.
local hotIndex, hot = number(), take()
local counted = reads[hotIndex]
if counted and counted[2] and string.find(counted[2], '^[JZ]') then
  redis.pcall('ZINCRBY', KEYS[#KEYS], 1, hot)
  redis.pcall('PEXPIRE', KEYS[#KEYS], 86400000)
end
return answer
`);

/**
 * Gives back one of what an admitted call charged (count: 'failure' rules after a success); never deletes a counter,
 * so that parallel guesses cannot slip through, and gives nothing to whom a rule spared. KEYS: replay record, each
 * counter (and behind it the key that spares, flag k), then the mark to set where one is given. ARGV: id, mark life ms
 * ('' for none), then generation, limit and flag of each counter.
 */
export const giveBackScript = new Script(`
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
