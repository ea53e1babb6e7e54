import type { SessionCheck, SessionFill } from '../admission/request.ts';
import { type CachePolicy, fillArguments, type Loaded } from '../cache/fill.ts';
import { dropScript, fillScript } from '../cache/scripts.ts';
import { decodeValue, encodeValue } from '../cache/value.ts';
import { ignoreEngine } from '../cache/write.ts';
import { integerOr } from '../config.ts';
import { query, write } from '../db.ts';
import type { Key } from '../keys.ts';
import { evaluate } from '../redis.ts';
import { SESSION_GRACE_SECONDS as GRACE_SECONDS, sessionKey, userVersionKey } from '../swept-keys.ts';
import { networkOf } from './network.ts';
import type { SessionName, SessionToken } from './token.ts';

/**
 * Sessions (rows B1 to B4). MySQL's row decides; Redis holds a copy in a strict family. A writer sets a tombstone
 * before its statement, so a revocation applies to the next call. Engines hold only hashes of tokens.
 */
export const idleSeconds = integerOr('SESSION_IDLE_SECONDS', 604_800);
export const maxSeconds = integerOr('SESSION_MAX_SECONDS', 2_592_000);
export const MAX_DEVICES = 10;
const MARKER_SECONDS = 86_400;

/** The current user for handlers: frozen, typed, fetched once for each request (row B4 (current user)). */
export interface CurrentUser {
  readonly userId: string;
  /** Login account, or account address of a channel account; null: the user has neither (WeChat). */
  readonly account: string | null;
  /** Masked; null: the user has none. */
  readonly phone: string | null;
  /** The id of the payer at WeChat Pay, in the mini-program of the calling app; null: the user has no WeChat login. */
  readonly wechatOpenid: string | null;
  readonly profile: Readonly<Record<string, unknown>>;
  /** The extra fields of the calling app; no other app sees them. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly sessionId: string;
  /** Raised when all sessions have to be checked again: whatever was made under a lower version is void. */
  readonly version: number;
  /** RFC 3339. */
  readonly sessionOpenedAt: string;
  /** RFC 3339; absolute end of the session. */
  readonly sessionEndsAt: string;
}

/** SQL: the masked phone number of this user. */
export const maskedPhoneOf = (userId: string): string =>
  `(SELECT i.label FROM identities i WHERE i.user_id = ${userId} AND i.platform = 'phone' LIMIT 1)`;

/** SQL: the newest openid at the mini-program of the app `a`. The column is that of the deployment's own mini-program. */
const OPENID = `COALESCE(
  (SELECT i.subject FROM identities i WHERE i.user_id = u.user_id AND i.platform = 'wechat'
      AND i.platform_app = a.wechat_appid ORDER BY i.created_at DESC LIMIT 1),
  IF(a.wechat_appid IS NULL, u.wechat_openid, NULL))`;

export function sessionCheck(session: SessionToken, appId: string): SessionCheck {
  return {
    mode: 'check',
    sessionKey: sessionKey(appId, session.userId, session.sessionId),
    userKey: userVersionKey(session.userId),
    idleMs: idleSeconds() * 1000,
    graceMs: GRACE_SECONDS * 1000,
  };
}

/** Reads the user from a session's copy in Redis; undefined: the copy is unreadable. */
export function userFromCopy(copy: string): CurrentUser | undefined {
  const user = decodeValue(copy)?.value as CurrentUser | null | undefined;
  return typeof user?.userId === 'string' ? freezeUser({ ...LACKING, ...user }) : undefined;
}

/** Members that copies of the former release lack. */
const LACKING = { phone: null, sessionOpenedAt: new Date(0).toISOString() };

/** Deletes an unreadable copy, unless the key has another value by now. Throws EngineError. */
export const dropCopy = (key: Key, copy: string): Promise<unknown> => evaluate(dropScript, [key], [copy]);

const freezeUser = (user: CurrentUser): CurrentUser =>
  Object.freeze({ ...user, profile: Object.freeze({ ...user.profile }), fields: Object.freeze({ ...user.fields }) });

/** The state of a session in MySQL. */
type SessionTruth =
  | { alive: true; user: CurrentUser; fill: SessionFill }
  | { alive: false; code: 'LOGIN_EXPIRED' | 'SESSION_REVOKED'; marker: string; markerMs: number };

const MARKER_POLICY: CachePolicy = { freshSeconds: 1, graceSeconds: 0, nullSeconds: MARKER_SECONDS };

/** Asks MySQL in one statement. Throws EngineError. */
export async function findSession(session: SessionName, appId: string): Promise<SessionTruth> {
  const [row] = await query(
    `SELECT s.user_version, s.ended_at, s.created_at AS opened_at, s.ends_at,
            TIMESTAMPDIFF(MICROSECOND, NOW(3), s.idle_until) DIV 1000 AS idle_ms,
            TIMESTAMPDIFF(MICROSECOND, NOW(3), s.ends_at) DIV 1000 AS end_ms,
            TIMESTAMPDIFF(SECOND, COALESCE(s.ended_at, u.updated_at), NOW(3)) AS ended_seconds,
            u.version, u.disabled_at, u.erased_at, u.account, u.account_address, u.profile, f.fields,
            ${OPENID} AS openid, ${maskedPhoneOf('u.user_id')} AS phone,
            (SELECT COUNT(*) FROM sessions n
              WHERE n.app_id = s.app_id AND n.user_id = s.user_id AND n.user_version = u.version
                AND n.ended_at IS NULL AND n.idle_until > NOW(3) AND n.ends_at > NOW(3)
                AND (n.last_seen_at > s.last_seen_at
                  OR (n.last_seen_at = s.last_seen_at AND n.session_id > s.session_id))) AS newer
       FROM sessions s JOIN users u ON u.user_id = s.user_id
       LEFT JOIN apps a ON a.app_id = s.app_id
       LEFT JOIN user_fields f ON f.app_id = s.app_id AND f.user_id = s.user_id
      WHERE s.app_id = ? AND s.user_id = ? AND s.session_id = ?`,
    [appId, session.userId, session.sessionId],
  );
  if (!row) return ended('LOGIN_EXPIRED');
  const revoked =
    row.ended_at !== null || row.disabled_at !== null || row.erased_at !== null || row.user_version !== row.version;
  if (revoked) return ended(Number(row.ended_seconds) < MARKER_SECONDS ? 'SESSION_REVOKED' : 'LOGIN_EXPIRED');
  if (Number(row.newer) >= MAX_DEVICES) return pushOut(session, appId);
  const idleMs = Number(row.idle_ms);
  const endMs = Number(row.end_ms);
  if (idleMs <= 0 || endMs <= 0) return ended('LOGIN_EXPIRED');
  const user = userFromRow(row, session);
  const version = Number(row.version);
  const liveMs = Math.min(idleMs, endMs) + GRACE_SECONDS * 1000;
  return {
    alive: true,
    user,
    fill: {
      copy: encodeValue(user, { freshMs: endMs, loadMs: 1, version }),
      copyMs: liveMs,
      version: encodeValue(1, { freshMs: userVersionKey.family.ttlSeconds * 1000, loadMs: 1, version }),
      versionMs: (idleSeconds() + GRACE_SECONDS) * 1000,
    },
  };
}

/**
 * Logins in the same instant did not see each other, so a user may have one session too many. It ends when it is first
 * used. MySQL is down for writes: its next use ends it.
 */
async function pushOut({ userId, sessionId }: SessionName, appId: string): Promise<SessionTruth> {
  await write(
    `UPDATE sessions SET ended_at = NOW(3), ended_by = 'pushed-out'
      WHERE app_id = ? AND user_id = ? AND session_id = ? AND ended_at IS NULL`,
    [appId, userId, sessionId],
  ).catch(ignoreEngine);
  return ended('SESSION_REVOKED');
}

function userFromRow(row: Record<string, unknown>, session: SessionName): CurrentUser {
  return freezeUser({
    userId: session.userId,
    account: (row.account ?? row.account_address ?? null) as string | null,
    phone: row.phone as string | null,
    wechatOpenid: row.openid as string | null,
    profile: asObject(row.profile),
    fields: asObject(row.fields),
    sessionId: session.sessionId,
    version: Number(row.version),
    sessionOpenedAt: String(row.opened_at),
    sessionEndsAt: String(row.ends_at),
  });
}

/** JSON columns arrive parsed from MySQL, and from MariaDB through the gateway; a text is parsed here. */
export function asObject(column: unknown): Record<string, unknown> {
  const value = typeof column === 'string' ? JSON.parse(column) : column;
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function ended(code: 'LOGIN_EXPIRED' | 'SESSION_REVOKED'): SessionTruth {
  const row: Loaded<never> = { value: null, version: 0, reason: code === 'LOGIN_EXPIRED' ? 'E' : 'R' };
  const [marker, markerMs] = fillArguments(row, MARKER_POLICY, 1, { primary: true });
  return { alive: false, code, marker: String(marker), markerMs: Number(markerMs) };
}

/** Stores in Redis that a session ended, so that the next call with it costs no statement. */
export async function markEnded(leaseId: string, key: Key, truth: Extract<SessionTruth, { alive: false }>) {
  await evaluate(fillScript, [key], [leaseId, truth.marker, truth.markerMs, 'P']).catch(ignoreEngine);
}

/**
 * Moves the idle end and the last use in MySQL after admission has extended the copy, every five minutes. `ip`: the
 * address of the call. One statement. MySQL is down: the call continues, because its session is proven, and the next
 * extension moves the row.
 */
export async function prolongSession(user: CurrentUser, appId: string, ip: string): Promise<void> {
  await write(
    `UPDATE sessions SET last_seen_at = NOW(3), network = ?, idle_until = LEAST(ends_at, NOW(3) + INTERVAL ? SECOND)
      WHERE app_id = ? AND user_id = ? AND session_id = ? AND ended_at IS NULL`,
    [networkOf(ip), idleSeconds(), appId, user.userId, user.sessionId],
  ).catch(ignoreEngine);
}
