import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { AppError } from '../errors.ts';
import { serverMac } from '../server-key.ts';

/** Makes session tokens, and verifies them by computation alone. */
export interface SessionName {
  userId: string;
  sessionId: string;
}
export interface SessionToken extends SessionName {
  /** Names the session for records about its caller: the SHA-256 of a bearer token, or the session's public id. */
  tokenHash: string;
}

const TOKEN = /^s1\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;
/** It never begins with a dash, because a command line would read it as an option. */
export const newUserId = (): string => randomBytes(16).toString('base64url').replace(/^[-_]/, 'u');
const hash = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
/** The public id of a session: the first 128 bits of its secret's SHA-256. */
const sessionIdOf = (secret: string): string => hash(secret).slice(0, 32);

/**
 * `<userId>.<sid>`: the name of a session of a public app. It is no secret, because the key signs. `sid` is random text
 * and never decoded. Engines hold only its hash, so what they hold and SIGNING_KEY together sign nothing.
 */
export function mintSessionName(userId: string): { session: string; sessionId: string } {
  const sid = randomBytes(16).toString('base64url');
  return { session: `${userId}.${sid}`, sessionId: sessionIdOf(sid) };
}

/** Takes the name that the authorizer has proven. Throws Error for any other text. */
export function parseSessionName(session: string): SessionToken {
  const [, userId, sid] = /^([\w-]{22})\.([\w-]{22})$/.exec(session) ?? [];
  if (!userId || !sid) throw new Error('the authorizer gave no name of a session');
  const sessionId = sessionIdOf(sid);
  return { userId, sessionId, tokenHash: sessionId };
}

/** Binds the token to its app and shows that it was issued here. 8 bytes each. */
const appMac = (appId: string, userId: string, random: Buffer): Buffer =>
  serverMac('session', appId, userId, random).subarray(0, 8);
const originMac = (userId: string, random: Buffer, app: Buffer): Buffer =>
  serverMac('session-origin', userId, random, app).subarray(0, 8);

/** `s1.<userId>.<secret>`. Half of the secret is random; the other half proves its origin by computation. */
export function mintSession(appId: string, userId: string): { token: string; sessionId: string } {
  const random = randomBytes(16);
  const app = appMac(appId, userId, random);
  const secret = Buffer.concat([random, app, originMac(userId, random, app)]).toString('base64url');
  return { token: `s1.${userId}.${secret}`, sessionId: sessionIdOf(secret) };
}

/**
 * undefined: the token was not issued here. Throws LOGIN_EXPIRED if it belongs to another app. Both are found by
 * computation alone.
 */
export function parseSessionToken(authorization: string | undefined, appId: string): SessionToken | undefined {
  const token = /^Bearer ([^\s,]+)$/i.exec(authorization ?? '')?.[1] ?? '';
  const match = TOKEN.exec(token);
  if (!match) return undefined;
  const [, userId = '', secret = ''] = match;
  const bytes = Buffer.from(secret, 'base64url');
  if (bytes.toString('base64url') !== secret) return undefined;
  const [random, app] = [bytes.subarray(0, 16), bytes.subarray(16, 24)];
  // The MAC also covers the app's part: a token that was altered anywhere is forged, not another app's.
  if (!timingSafeEqual(originMac(userId, random, app), bytes.subarray(24))) return undefined;
  if (!timingSafeEqual(appMac(appId, userId, random), app)) throw new AppError('LOGIN_EXPIRED');
  return { userId, sessionId: sessionIdOf(secret), tokenHash: hash(token) };
}
