import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { AppError } from '../errors.ts';
import { keyFamily } from '../keys.ts';
import { batch, evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { serverMac } from '../server-key.ts';
import type { LoginEntry } from './channel.ts';

/**
 * The two verification strings of a channel login (rows C1 to C6). Redis holds the random bytes from which a first
 * string is computed, and a hash of a second string. So neither string can be read in an engine.
 */
const FIRST_STRING_SECONDS = 120;
const SECOND_STRING_SECONDS = 300;
const MAX_LIVE = 8;
const MAX_TRIES = 5;
const WINDOW_SECONDS = 300;

const firstKey = keyFamily<[string, string]>({
  area: 'session',
  name: 'channel-first',
  version: 1,
  parts: ['id', 'id'],
  ttlSeconds: FIRST_STRING_SECONDS,
});
const secondKey = keyFamily<[string, string]>({
  area: 'session',
  name: 'channel-second',
  version: 1,
  parts: ['id', 'id'],
  ttlSeconds: SECOND_STRING_SECONDS,
});

/** The user of a channel who logs in. */
interface ChannelUser {
  channel: string;
  channelUserId: string;
}

/** It is the same before and after the account exists. Nobody else can compute it for a user of the channel. */
const accountAddress = ({ channel, channelUserId }: ChannelUser): string =>
  `a1${serverMac('account-address', channel, channelUserId).subarray(0, 20).toString('hex')}`;

const firstString = (address: string, random: string): string =>
  serverMac('first-string', address, Buffer.from(random, 'base64url')).toString('base64url');

/** `<user>;<random>.<ends ms>,...`. Entries that ended are dropped, and the oldest ones if there are too many. */
const addFirstScript = new Script(lua`
local random, now, life, most = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local kept = {}
for entry in string.gmatch(string.match(redis.call('GET', KEYS[1]) or '', ';(.*)$') or '', '[^,]+') do
  local known, ends = string.match(entry, '^([^.]+)%.(%d+)$')
  if known ~= random and tonumber(ends) > now then kept[#kept + 1] = entry end
end
while #kept >= most do table.remove(kept, 1) end
kept[#kept + 1] = random .. '.' .. string.format('%d', now + life)
redis.call('SET', KEYS[1], ARGV[5] .. ';' .. table.concat(kept, ','), 'PX', life)
return 1
`);

/** Removes one entry. Of several equal calls, one gets 1. */
const takeFirstScript = new Script(lua`
local user, entries = string.match(redis.call('GET', KEYS[1]) or '', '^([^;]*);(.*)$')
local kept, taken = {}, 0
for entry in string.gmatch(entries or '', '[^,]+') do
  if string.match(entry, '^[^.]+') == ARGV[1] then taken = 1 else kept[#kept + 1] = entry end
end
if taken == 0 then return 0 end
if #kept == 0 then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], user .. ';' .. table.concat(kept, ','), 'KEEPTTL') end
return 1
`);

export async function issueFirstString(appId: string, user: ChannelUser, now = Date.now()) {
  const address = accountAddress(user);
  const random = randomBytes(16).toString('base64url');
  const lifeMs = FIRST_STRING_SECONDS * 1000;
  const owner = Buffer.from(JSON.stringify([user.channel, user.channelUserId])).toString('base64url');
  await evaluate(addFirstScript, [firstKey(appId, address)], [random, now, lifeMs, MAX_LIVE, owner]);
  return {
    accountAddress: address,
    firstString: firstString(address, random),
    expiresAt: new Date(now + lifeMs).toISOString(),
  };
}

interface PresentedDigest {
  accountAddress: string;
  digest: string;
  /** Unix seconds, exactly 10 digits. */
  timeStamp: string;
  digestMethod: 'MD5' | 'HMAC-SHA256';
}

const mismatch = (): AppError => new AppError('LOGIN_INFO_MISMATCH');

/**
 * Finds the live first string of this digest and removes it. A wrong digest removes none. The digest is recomputed from
 * what the server issued, never from what the client sent. Throws LOGIN_INFO_MISMATCH.
 */
export async function redeemFirstString(
  appId: string,
  presented: PresentedDigest,
  now = Date.now(),
): Promise<ChannelUser> {
  if (Math.abs(now / 1000 - Number(presented.timeStamp)) > WINDOW_SECONDS) throw mismatch();
  const key = firstKey(appId, presented.accountAddress);
  const [stored] = await batch([['get', key]]);
  if (stored instanceof Error) throw stored;
  const [owner = '', entries = ''] = typeof stored === 'string' ? stored.split(';') : [];
  const live = entries
    .split(',')
    .map((entry) => entry.split('.'))
    .filter(([, ends]) => Number(ends) > now);
  const match = live.find(([random = '']) => isDigestOf(firstString(presented.accountAddress, random), presented));
  if (!match) throw mismatch();
  if ((await evaluate<number>(takeFirstScript, [key], [match[0] as string])) !== 1) throw mismatch();
  const [channel, channelUserId] = JSON.parse(Buffer.from(owner, 'base64url').toString('utf8')) as [string, string];
  return { channel, channelUserId };
}

/** Compares in constant time. Only hex in lower case is accepted. */
function isDigestOf(first: string, { accountAddress, digest, timeStamp, digestMethod }: PresentedDigest): boolean {
  const expected =
    digestMethod === 'MD5'
      ? createHash('md5').update(`${accountAddress}${first}${timeStamp}`).digest('hex')
      : createHmac('sha256', first).update(`${accountAddress}\n${timeStamp}`).digest('hex');
  const [given, wanted] = [Buffer.from(digest), Buffer.from(expected)];
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

/** `<tries left>;<hash>.<ends ms>,...`. A new entry resets the tries, because it needs a correct digest. */
const addSecondScript = new Script(lua`
local now, life, most = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local kept = {}
for entry in string.gmatch(string.match(redis.call('GET', KEYS[1]) or '', ';(.*)$') or '', '[^,]+') do
  if tonumber(string.match(entry, '%.(%d+)$')) > now then kept[#kept + 1] = entry end
end
for i = 5, #ARGV do kept[#kept + 1] = ARGV[i] .. '.' .. string.format('%d', now + life) end
while #kept > most do table.remove(kept, 1) end
redis.call('SET', KEYS[1], ARGV[4] .. ';' .. table.concat(kept, ','), 'PX', life)
return 1
`);

/** 1: the entry was found and removed. 0: it was not found; the last try removes all entries. */
const takeSecondScript = new Script(lua`
local tries, entries = string.match(redis.call('GET', KEYS[1]) or '', '^(%d+);(.*)$')
if not tries then return 0 end
local kept, taken = {}, 0
for entry in string.gmatch(entries, '[^,]+') do
  local hash, ends = string.match(entry, '^(%x+)%.(%d+)$')
  if hash == ARGV[1] and tonumber(ends) > tonumber(ARGV[2]) then taken = 1 else kept[#kept + 1] = entry end
end
if taken == 0 then tries = tonumber(tries) - 1 end
if #kept == 0 or tonumber(tries) <= 0 then redis.call('DEL', KEYS[1])
else redis.call('SET', KEYS[1], string.format('%d', tonumber(tries)) .. ';' .. table.concat(kept, ','), 'KEEPTTL') end
return taken
`);

const boundHash = (secondString: string, { address, port }: LoginEntry): string =>
  createHash('sha256').update(`${secondString}\n${address}\n${port}`).digest('hex');

/** The string is bound to account, app and entry: Redis keeps one hash for each entry of the login list. */
export async function issueSecondString(
  appId: string,
  address: string,
  loginList: readonly LoginEntry[],
  now = Date.now(),
) {
  const secondString = randomBytes(32).toString('base64url');
  const lifeMs = SECOND_STRING_SECONDS * 1000;
  const hashes = loginList.map((entry) => boundHash(secondString, entry));
  await evaluate(addSecondScript, [secondKey(appId, address)], [now, lifeMs, MAX_LIVE, MAX_TRIES, ...hashes]);
  return { secondString, expiresAt: new Date(now + lifeMs).toISOString() };
}

/** Row C6 (open the session). Throws LOGIN_INFO_MISMATCH for a wrong, used or expired string, or a wrong entry. */
export async function redeemSecondString(
  appId: string,
  address: string,
  secondString: string,
  entry: LoginEntry,
  now = Date.now(),
) {
  const args = [boundHash(secondString, entry), now];
  if ((await evaluate<number>(takeSecondScript, [secondKey(appId, address)], args)) !== 1) throw mismatch();
}
