import { createHash, randomBytes } from 'node:crypto';
import type { CacheRead } from '../admission/request.ts';
import type { ReadAnswer } from '../cache/cache.ts';
import { decodePlain } from '../cache/value.ts';
import { ignoreEngine } from '../cache/write.ts';
import { type Key, keyFamily } from '../keys.ts';
import { deleteKeys } from '../redis.ts';
import { type CurrentUser, findSession } from '../session/session.ts';
import { type Standing, standingOf } from '../session/standing.ts';
import { sessionKey, userVersionKey } from '../swept-keys.ts';

/**
 * A plugin token (row D3 (plugin token)): `p1.<userId>.<sessionId>.<secret>`. The secret has 32 bytes: the first 16 are
 * the AppID under which it was issued, the others are random. So all keys that decide about the token follow from the
 * token alone, and one request reads them. Engines and plugin servers keep only its hash.
 */
export interface PluginToken {
  /** Not secret: the first 128 bits of the hash. */
  id: string;
  /** Hex SHA-256 of the whole token. */
  hash: string;
  pluginId: string;
  appId: string;
  userId: string;
  sessionId: string;
  /** The user version at the time of issue. A changed password or a disabled user raises the version. */
  userVersion: number;
  /** RFC 3339 */
  expiresAt: string;
}

export const TOKEN_SECONDS = 600;

export const pluginTokenKey = keyFamily<[string]>({
  area: 'plugin',
  name: 'token',
  version: 1,
  parts: ['id'],
  ttlSeconds: TOKEN_SECONDS,
});

const TOKEN = /^p1\.([A-Za-z0-9_-]{22})\.([0-9a-f]{32})\.([A-Za-z0-9_-]{43})$/;
const sha256Hex = (text: string): string => createHash('sha256').update(text).digest('hex');

/** It ends after ten minutes, and not later than its session. */
export function mintPluginToken(
  pluginId: string,
  appId: string,
  user: CurrentUser,
  now = Date.now(),
): { pluginToken: string; record: PluginToken } {
  const app = Buffer.from(appId.replaceAll('-', ''), 'hex');
  const secret = Buffer.concat([app, randomBytes(16)]).toString('base64url');
  const pluginToken = `p1.${user.userId}.${user.sessionId}.${secret}`;
  const hash = sha256Hex(pluginToken);
  const endsAt = Math.min(now + TOKEN_SECONDS * 1000, Date.parse(user.sessionEndsAt));
  const { userId, sessionId, version: userVersion } = user;
  const expiresAt = new Date(endsAt).toISOString();
  return {
    pluginToken,
    record: { id: hash.slice(0, 32), hash, pluginId, appId, userId, sessionId, userVersion, expiresAt },
  };
}

/** A token that a plugin's server sent: its form is valid, and it was not looked up yet. */
interface PresentedPluginToken {
  hash: string;
  appId: string;
  userId: string;
  sessionId: string;
}

/** null: not the form of a plugin token. */
export function parsePluginToken(text: string): PresentedPluginToken | null {
  const [, userId, sessionId, secret] = TOKEN.exec(text) ?? [];
  if (userId === undefined || sessionId === undefined || secret === undefined) return null;
  const bytes = Buffer.from(secret, 'base64url');
  if (bytes.toString('base64url') !== secret) return null;
  const appId = bytes.toString('hex', 0, 16).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
  return { hash: sha256Hex(text), appId, userId, sessionId };
}

/** The values that decide about a presented token, for admission's own request: record, session, user version. */
export const readsOfPluginToken = (presented: PresentedPluginToken): CacheRead[] =>
  keysOf(presented).map((key) => ({ key, kind: 'plain' }));

/** The keys of a token: its record, the copy of its session, the version of its user. */
export const keysOf = (token: PresentedPluginToken): [Key, Key, Key] => [
  pluginTokenKey(token.hash),
  sessionKey(token.appId, token.userId, token.sessionId),
  userVersionKey(token.userId),
];

/**
 * null: not alive for this plugin. A token ends with its record in Redis, and at once when its session ends. MySQL is
 * asked only if Redis has lost the session's copy. Throws EngineError if no engine can answer.
 */
export async function checkPluginToken(
  presented: PresentedPluginToken,
  pluginId: string,
  reads: readonly ReadAnswer[],
): Promise<{ userId: string; expiresAt: string } | null> {
  const [record = '', copy = '', version = ''] = reads.map(({ stored }) => stored);
  const stored = decodePlain(record);
  if (!stored) return null;
  const token = recordFrom(stored.value);
  if (!token || token.pluginId !== pluginId || token.hash !== presented.hash) return null;
  let standing = standingOf(copy, version);
  if (standing === 'unknown') {
    const truth = await findSession(token, token.appId);
    standing = truth.alive ? { alive: true, version: truth.user.version } : truth;
    // A token that ended stays ended. Without its record, the next check costs MySQL nothing.
    if (!isAliveFor(token, standing)) await deleteKeys([pluginTokenKey(token.hash)]).catch(ignoreEngine);
  }
  return isAliveFor(token, standing) ? { userId: token.userId, expiresAt: token.expiresAt } : null;
}

/** null: the record is unreadable. */
function recordFrom(stored: string): PluginToken | null {
  try {
    return JSON.parse(stored) as PluginToken | null;
  } catch {
    return null;
  }
}

const isAliveFor = (token: PluginToken, standing: Exclude<Standing, 'unknown'>): boolean =>
  standing.alive && standing.version === token.userVersion;
