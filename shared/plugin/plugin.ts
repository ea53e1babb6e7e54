import { CLOCK } from '../clock.ts';
import { AppError, EngineError } from '../errors.ts';
import { keyFamily } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { type CurrentUser, findSession } from '../session/session.ts';
import { standingOf } from '../session/standing.ts';
import { userVersionKey } from '../swept-keys.ts';
import { alarm, count } from '../telemetry.ts';
import { findPlugin, type Plugin } from './directory.ts';
import { pushed } from './push.ts';
import { keysOf, mintPluginToken, type PluginToken, TOKEN_SECONDS } from './token.ts';

/**
 * Plugin tokens (rows D1 to D6): made for an admitted user, pushed to the plugin's server, then returned to the client.
 */

const PUSH_MS = 3_000;
const REVOKE_MS = 1_000;
const PUSHES_AT_ONCE = 16;

/** The live plugin tokens of a user at an app, sorted by their end. A revocation is pushed for each of them. */
const liveTokensKey = keyFamily<[string, string]>({
  area: 'plugin',
  name: 'live',
  version: 1,
  parts: ['id', 'id'],
  ttlSeconds: TOKEN_SECONDS,
});

/**
 * KEYS: record, session, user version, live tokens. ARGV: the record, its life in ms. It returns the
 * state of the session at that moment, as two plain reads. If it is applied twice, it stores once.
 */
const storeScript = new Script(lua`
${CLOCK}
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
local now = clock(KEYS[1])
redis.call('ZREMRANGEBYSCORE', KEYS[4], '-inf', string.format('%d', now))
redis.call('ZADD', KEYS[4], string.format('%d', now + ARGV[2]), ARGV[1])
local last = redis.call('ZRANGE', KEYS[4], -1, -1, 'WITHSCORES')
redis.call('PEXPIREAT', KEYS[4], string.format('%d', tonumber(last[2])))
local function plain(key)
  local value = redis.call('GET', key)
  return value and string.format('%d', redis.call('PTTL', key)) .. ';' .. value or ''
end
return {plain(KEYS[2]), plain(KEYS[3])}
`);

/** KEYS: live tokens, a key of the user. */
const liveScript = new Script(lua`
${CLOCK}
return redis.call('ZRANGEBYSCORE', KEYS[1], string.format('%d', clock(KEYS[2])), '+inf')
`);

/**
 * Order of work: push, store, answer. Only the receiver of the answer knows the token. So a token that was pushed is
 * useless if the push was not acknowledged or the token was not stored. Throws PLUGIN_SERVER_UNAVAILABLE,
 * SESSION_REVOKED, LOGIN_EXPIRED, EngineError.
 */
export async function issuePluginToken(
  plugin: Plugin,
  appId: string,
  user: CurrentUser,
  now = Date.now(),
): Promise<{ pluginToken: string; expiresAt: string; server: string }> {
  const { pluginToken, record } = mintPluginToken(plugin.pluginId, appId, user, now);
  if (!(await pushed(plugin, 'issued', record, Date.now() + PUSH_MS))) {
    throw new AppError('PLUGIN_SERVER_UNAVAILABLE', undefined, { retryAfterSeconds: 2 });
  }
  const refusal = await storeAndLook(record, user);
  if (refusal) {
    await pushed(plugin, 'revoked', record, Date.now() + REVOKE_MS);
    throw refusal;
  }
  return { pluginToken, expiresAt: record.expiresAt, server: plugin.serverUrl };
}

/**
 * A session may end while its token is being pushed. The request that ends it pushes revocations for the tokens in the
 * list at that time. For a token that enters the list later, the end of the session is found here. undefined: it lives.
 */
async function storeAndLook(record: PluginToken, user: CurrentUser): Promise<AppError | undefined> {
  const keys = [...keysOf(record), liveTokensKey(record.appId, record.userId)];
  const args = [JSON.stringify(record), Math.max(1, Date.parse(record.expiresAt) - Date.now())];
  const [copy = '', version = ''] = await evaluate<string[]>(storeScript, keys, args);
  const standing = standingOf(copy, version);
  if (standing !== 'unknown' && standing.alive && standing.version === record.userVersion) return undefined;
  const truth = await findSession(user, record.appId);
  if (!truth.alive) return new AppError(truth.code);
  // The session continues after a password change, but this token is void. The next call makes a valid one.
  if (truth.user.version === record.userVersion) return undefined;
  return new AppError('UNAVAILABLE', undefined, { retryAfterSeconds: 1 });
}

/**
 * Reports to the plugin servers that the user's live tokens (those of these sessions, or all) are revoked. Best effort,
 * within a second; the answer waits for it, because nothing runs after the answer. Validation does not depend on it: it
 * checks the session. Call it after the session was ended. It never throws: the session stays ended.
 */
export async function revokePluginTokens(
  appId: string,
  userId: string,
  sessionIds: readonly string[] | 'all',
): Promise<void> {
  const deadlineAt = Date.now() + REVOKE_MS;
  let timer: NodeJS.Timeout | undefined;
  const tooLate = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, REVOKE_MS);
  });
  const work = pushRevocations(appId, userId, sessionIds, deadlineAt).catch((error: unknown) => {
    if (error instanceof EngineError) count('plugin.revocation-not-pushed');
    else alarm('plugin-revocation-failed');
  });
  await Promise.race([work, tooLate]).finally(() => clearTimeout(timer));
}

async function pushRevocations(
  appId: string,
  userId: string,
  sessionIds: readonly string[] | 'all',
  deadlineAt: number,
): Promise<void> {
  const listed = await evaluate<string[]>(liveScript, [liveTokensKey(appId, userId), userVersionKey(userId)], []);
  const waiting = listed
    .map((text) => JSON.parse(text) as PluginToken)
    .filter(({ sessionId }) => sessionIds === 'all' || sessionIds.includes(sessionId));
  const worker = async (): Promise<void> => {
    for (let token = waiting.pop(); token && Date.now() < deadlineAt; token = waiting.pop()) {
      const plugin = await findPlugin(token.pluginId);
      if (plugin) await pushed(plugin, 'revoked', token, deadlineAt);
    }
  };
  await Promise.all(Array.from({ length: Math.min(PUSHES_AT_ONCE, waiting.length) }, worker));
}
