import { createHash, randomBytes, timingSafeEqual } from 'node:crypto';
import { AppError } from '../errors.ts';
import { serverMac } from '../server-key.ts';

/** Session tokens: made, and proven by computation alone. */
export interface SessionName {
  userId: string;
  sessionId: string;
}
export interface SessionToken extends SessionName {
  /** SHA-256 of the whole token, for what must be remembered of its holder. */
  tokenHash: string;
}

const TOKEN = /^s1\.([A-Za-z0-9_-]{22})\.([A-Za-z0-9_-]{43})$/;
/** Never with a dash in front, which a command line would take for an option. */
export const newUserId = (): string => randomBytes(16).toString('base64url').replace(/^[-_]/, 'u');
const hash = (data: string | Buffer): string => createHash('sha256').update(data).digest('hex');
/** The public id of a session: the first 128 bits of its secret's SHA-256. */
const sessionIdOf = (secret: string): string => hash(secret).slice(0, 32);

/** Which app it belongs to, and that all of it is ours. Each is 8 bytes. */
const appMac = (appId: string, userId: string, random: Buffer): Buffer =>
  serverMac('session', appId, userId, random).subarray(0, 8);
const originMac = (userId: string, random: Buffer, app: Buffer): Buffer =>
  serverMac('session-origin', userId, random, app).subarray(0, 8);

/** `s1.<userId>.<secret>`; half of the secret is random, half proves by computation where it comes from. */
export function mintSession(appId: string, userId: string): { token: string; sessionId: string } {
  const random = randomBytes(16);
  const app = appMac(appId, userId, random);
  const secret = Buffer.concat([random, app, originMac(userId, random, app)]).toString('base64url');
  return { token: `s1.${userId}.${secret}`, sessionId: sessionIdOf(secret) };
}

/**
 * undefined: not a token of ours. Said by computation alone, and so is that it belongs to another app: throws
 * LOGIN_EXPIRED.
 */
export function parseSessionToken(authorization: string | undefined, appId: string): SessionToken | undefined {
  const token = /^Bearer ([^\s,]+)$/i.exec(authorization ?? '')?.[1] ?? '';
  const match = TOKEN.exec(token);
  if (!match) return undefined;
  const [, userId = '', secret = ''] = match;
  const bytes = Buffer.from(secret, 'base64url');
  if (bytes.toString('base64url') !== secret) return undefined;
  const [random, app] = [bytes.subarray(0, 16), bytes.subarray(16, 24)];
  // Covers the app's part too: a token that was altered anywhere is forged, not another app's.
  if (!timingSafeEqual(originMac(userId, random, app), bytes.subarray(24))) return undefined;
  if (!timingSafeEqual(appMac(appId, userId, random), app)) throw new AppError('LOGIN_EXPIRED');
  return { userId, sessionId: sessionIdOf(secret), tokenHash: hash(token) };
}
