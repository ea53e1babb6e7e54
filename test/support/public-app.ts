import { createHmac, randomBytes } from 'node:crypto';
import { bodySha256 } from '../../client/sign.ts';
import { canonicalQuery, signedTarget } from '../../shared/app/signature.ts';
import { mintSessionName, newUserId } from '../../shared/session/token.ts';
import { expectedSessionKey } from './expected-signature.ts';
import type { TestStack } from './stack.ts';

/** What a client of a public app holds after a login. */
export interface SignedSession {
  /** `<userId>.<sid>`. */
  session: string;
  key: string;
}

export interface PublicCall {
  method: string;
  path: string;
  query?: string;
  body?: unknown;
  headers?: Record<string, string>;
  /** Unix seconds. Default: now. */
  timeStamp?: number;
  nonce?: string;
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');

const textOfBody = (body: unknown): string | undefined =>
  body === undefined || typeof body === 'string' ? body : JSON.stringify(body);

/** The token of a public app that only names itself. */
export const namedToken = (appId: string): string => base64(`{"AppID":"${appId}"}`);

/** What a session signs (v3), by the rule of the documents. */
function sessionText(appId: string, session: string, call: PublicCall & { timeStamp: number; nonce: string }) {
  const text = textOfBody(call.body) ?? '';
  const request = { method: call.method, path: call.path, rawQuery: call.query ?? '', bodySha256: bodySha256(text) };
  const target = signedTarget(request) ?? [call.method, call.path, canonicalQuery(request.rawQuery) ?? ''];
  const idempotencyKey = call.headers?.['idempotency-key'] ?? '';
  return [
    'MPC3-HMAC-SHA256',
    appId,
    session,
    String(call.timeStamp),
    call.nonce,
    ...target,
    idempotencyKey,
    request.bodySha256,
  ].join('\n');
}

/** A token that a session signed (v3). */
export function sessionToken(appId: string, { session, key }: SignedSession, call: PublicCall): string {
  const timeStamp = call.timeStamp ?? Math.floor(Date.now() / 1000);
  const nonce = call.nonce ?? randomBytes(16).toString('hex');
  const signature = createHmac('sha256', key)
    .update(sessionText(appId, session, { ...call, timeStamp, nonce }))
    .digest('hex');
  const members = { signatureMethod: 'SESSION-HMAC-SHA256', AppID: appId, session };
  return base64(JSON.stringify({ ...members, timeStamp: String(timeStamp), nonce, signature }));
}

/** Headers of a call of a public app: signed by its session, or named without one. */
export function publicHeaders(appId: string, signer: SignedSession | undefined, call: PublicCall) {
  const text = textOfBody(call.body);
  return {
    'access-token': signer ? sessionToken(appId, signer, call) : namedToken(appId),
    ...(text !== undefined && { 'content-type': 'application/json', 'x-content-sha256': bodySha256(text) }),
    ...call.headers,
  };
}

/** A user, and a living session at this app that no login has opened. */
export async function openedSession(stack: TestStack, appId: string, known?: string) {
  const userId = known ?? newUserId();
  if (!known) await stack.mysql.execute(`INSERT INTO users (user_id, profile) VALUES (?, '{}')`, [userId]);
  const { session, sessionId } = mintSessionName(userId);
  await stack.mysql.execute(
    `INSERT INTO sessions (app_id, user_id, session_id, user_version, idle_until, ends_at)
     VALUES (?, ?, ?, 1, NOW(3) + INTERVAL 7 DAY, NOW(3) + INTERVAL 30 DAY)`,
    [appId, userId, sessionId],
  );
  return { userId, sessionId, session, key: expectedSessionKey(stack.env.SIGNING_KEY ?? '', appId, session) };
}

/** A session name that was never issued, and the key that the server would compute for it. */
export function inventedSession(signingKey: string, appId: string): SignedSession {
  const id = (): string => randomBytes(16).toString('base64url');
  const session = `${id()}.${id()}`;
  return { session, key: expectedSessionKey(signingKey, appId, session) };
}
