import { createHash, createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
import { AppError } from '../errors.ts';
import { keyFamily } from '../keys.ts';
import { batch, evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { serverMac } from '../server-key.ts';

/**
 * The first verification string of a channel login (rows C1 to C3). Redis holds the random bytes from which it is
 * computed, so it cannot be read in an engine.
 */
const FIRST_STRING_SECONDS = 120;
const WINDOW_SECONDS = 300;
/** Strings of one address at one app that are valid at a time. */
export const MAX_LIVE = 8;

export const firstKey = keyFamily<[string, string]>({
  area: 'session',
  name: 'channel-first',
  version: 1,
  parts: ['id', 'id'],
  ttlSeconds: FIRST_STRING_SECONDS,
});

/** The user of a channel who logs in. */
interface ChannelUser {
  channel: string;
  channelUserId: string;
}

/** It is the same before and after the account exists. Nobody else can compute it for a user of the channel. */
export const accountAddress = ({ channel, channelUserId }: ChannelUser): string =>
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

export const mismatch = (): AppError => new AppError('LOGIN_INFO_MISMATCH');

/**
 * Finds the live first string of this digest and keeps it. A wrong digest uses up none. The digest is recomputed from
 * what the server issued, never from what the client sent. `random` identifies the string for exchangeFirstString().
 * Throws LOGIN_INFO_MISMATCH.
 */
export async function findFirstString(
  appId: string,
  presented: PresentedDigest,
  now = Date.now(),
): Promise<{ channelUser: ChannelUser; random: string }> {
  if (Math.abs(now / 1000 - Number(presented.timeStamp)) > WINDOW_SECONDS) throw mismatch();
  const key = firstKey(appId, presented.accountAddress);
  const [stored] = await batch([['get', key]]);
  if (stored instanceof Error) throw stored;
  const [owner = '', entries = ''] = typeof stored === 'string' ? stored.split(';') : [];
  const live = entries
    .split(',')
    .map((entry) => entry.split('.'))
    .filter(([, ends]) => Number(ends) > now);
  const [random] =
    live.find(([candidate = '']) => isDigestOf(firstString(presented.accountAddress, candidate), presented)) ?? [];
  if (random === undefined) throw mismatch();
  const [channel, channelUserId] = JSON.parse(Buffer.from(owner, 'base64url').toString('utf8')) as [string, string];
  return { channelUser: { channel, channelUserId }, random };
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
