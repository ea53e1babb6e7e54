import { createHash, randomBytes } from 'node:crypto';
import { ignoreEngine } from '../cache/write.ts';
import { type Key, keyFamily } from '../keys.ts';
import { batch, evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { useReservedTime } from '../telemetry.ts';
import type { LoginEntry } from './channel.ts';
import { firstKey, MAX_LIVE, mismatch } from './first-string.ts';

/** The second verification string of a channel login (rows C4 to C6). Redis holds a hash of it. */
const SECOND_STRING_SECONDS = 300;
const MAX_TRIES = 5;

/** A second string that was issued in the last ten minutes, also one that was used: it proves who the user is. */
const proofKey = keyFamily<[string, string, string]>({
  area: 'session',
  name: 'channel-proof',
  version: 1,
  parts: ['id', 'id', 'id'],
  ttlSeconds: 600,
});

const secondKey = keyFamily<[string, string]>({
  area: 'session',
  name: 'channel-second',
  version: 1,
  parts: ['id', 'id'],
  ttlSeconds: SECOND_STRING_SECONDS,
});

/**
 * Takes the first string and stores the second one, or does neither. Of several equal calls, one gets 1. A call that is
 * sent twice finds its own second string. A second string is stored as `<tries left>;<hash>.<ends ms>,...`; a new entry
 * resets the tries, because it needs a correct digest. KEYS: first strings, second strings, proof. ARGV: random bytes
 * of the first string, now, life, most entries, tries, life of the proof, then the hashes.
 */
const exchangeScript = new Script(lua`
local second = redis.call('GET', KEYS[2]) or ''
if string.find(second, ARGV[7] .. '.', 1, true) then return 1 end
local user, entries = string.match(redis.call('GET', KEYS[1]) or '', '^([^;]*);(.*)$')
local left, taken = {}, false
for entry in string.gmatch(entries or '', '[^,]+') do
  if string.match(entry, '^[^.]+') == ARGV[1] then taken = true else left[#left + 1] = entry end
end
if not taken then return 0 end
if #left == 0 then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], user .. ';' .. table.concat(left, ','), 'KEEPTTL') end
local now, life, most = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = {}
for entry in string.gmatch(string.match(second, ';(.*)$') or '', '[^,]+') do
  if tonumber(string.match(entry, '%.(%d+)$')) > now then kept[#kept + 1] = entry end
end
for i = 7, #ARGV do kept[#kept + 1] = ARGV[i] .. '.' .. string.format('%d', now + life) end
while #kept > most do table.remove(kept, 1) end
redis.call('SET', KEYS[2], ARGV[5] .. ';' .. table.concat(kept, ','), 'PX', life)
redis.call('SET', KEYS[3], '1', 'PX', ARGV[6])
return 1
`);

/**
 * `<tries left>;<ends ms>` of the entry that was found and removed. '': it was not found; the last try removes all
 * entries.
 */
const takeSecondScript = new Script(lua`
local tries, entries = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+);(.*)$')
if not tries then return '' end
local kept, taken = {}, ''
for entry in string.gmatch(entries, '[^,]+') do
  local hash, ends = string.match(entry, '^(%x+)%.(%d+)$')
  if hash == ARGV[1] and tonumber(ends) > tonumber(ARGV[2]) then taken = tries .. ';' .. ends
  else kept[#kept + 1] = entry end
end
if taken == '' then tries = string.format('%d', tonumber(tries) - 1) end
if #kept == 0 or tries == '0' then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], tries .. ';' .. table.concat(kept, ','), 'KEEPTTL') end
return taken
`);

/**
 * Puts an entry back. If it is sent twice, it puts it back once. ARGV: hash, tries left, ends ms, remaining life ms.
 */
const returnSecondScript = new Script(lua`
local tries, entries = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+);(.*)$')
if entries and string.find(entries, ARGV[1], 1, true) then return 0 end
local entry = ARGV[1] .. '.' .. ARGV[3]
local life = math.max(redis.call('PTTL', KEYS[1]), tonumber(ARGV[4]))
redis.call('SET', KEYS[1], (tries or ARGV[2]) .. ';' .. (entries and entries .. ',' or '') .. entry, 'PX', life)
return 1
`);

const boundHash = (secondString: string, { address, port }: LoginEntry): string =>
  createHash('sha256').update(`${secondString}\n${address}\n${port}`).digest('hex');

/** The string is in Redis as a hash only. */
const proofKeyOf = (appId: string, address: string, secondString: string): Key =>
  proofKey(appId, address, createHash('sha256').update(secondString).digest('hex').slice(0, 32));

/**
 * Whether this app verified a login of this account within ten minutes, with this second string. Throws EngineError.
 */
export async function isRecentSecondString(appId: string, address: string, secondString: string): Promise<boolean> {
  const [stored] = await batch([['get', proofKeyOf(appId, address, secondString)]]);
  if (stored instanceof Error) throw stored;
  return stored !== null;
}

/**
 * Takes the first string and issues the second one, as the last step of the call: when anything before it fails, the
 * first string stays valid. The second string is bound to account, app and entry: Redis keeps one hash for each entry
 * of the login list. Throws LOGIN_INFO_MISMATCH if another call has taken the first string; EngineError.
 */
export async function exchangeFirstString(
  appId: string,
  address: string,
  random: string,
  loginList: readonly LoginEntry[],
  now = Date.now(),
) {
  const secondString = randomBytes(32).toString('base64url');
  const lifeMs = SECOND_STRING_SECONDS * 1000;
  const hashes = loginList.map((entry) => boundHash(secondString, entry));
  const keys = [firstKey(appId, address), secondKey(appId, address), proofKeyOf(appId, address, secondString)];
  const args = [random, now, lifeMs, MAX_LIVE, MAX_TRIES, proofKey.family.ttlSeconds * 1000, ...hashes];
  if ((await evaluate<number>(exchangeScript, keys, args)) !== 1) throw mismatch();
  return { secondString, expiresAt: new Date(now + lifeMs).toISOString() };
}

/**
 * Row C6 (open the session). Takes the second string, so that of several equal calls one does the work. When the work
 * fails the string is valid again. Throws LOGIN_INFO_MISMATCH for a wrong, used or expired string, or a wrong entry;
 * what `work` throws.
 */
export async function withSecondString<T>(
  { appId, address, secondString, entry }: { appId: string; address: string; secondString: string; entry: LoginEntry },
  work: () => Promise<T>,
  now = Date.now(),
): Promise<T> {
  const key = secondKey(appId, address);
  const hash = boundHash(secondString, entry);
  const [tries = '', ends = ''] = (await evaluate<string>(takeSecondScript, [key], [hash, now])).split(';');
  if (tries === '') throw mismatch();
  try {
    return await work();
  } catch (error) {
    const leftMs = Number(ends) - Date.now();
    useReservedTime();
    if (leftMs > 0) await evaluate(returnSecondScript, [key], [hash, tries, ends, leftMs]).catch(ignoreEngine);
    throw error;
  }
}
