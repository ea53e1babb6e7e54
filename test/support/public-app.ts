import { createHmac, randomBytes } from 'node:crypto';
import { bodySha256 } from '../../client/sign.ts';
import { canonicalQuery, signedTarget } from '../../shared/app/signature.ts';

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

export const textOfBody = (body: unknown): string | undefined =>
  body === undefined || typeof body === 'string' ? body : JSON.stringify(body);

/** The token of a public app that only names itself. */
export const namedToken = (appId: string): string => base64(`{"AppID":"${appId}"}`);

/** What a session signs (v3), by the rule of the documents. */
export function sessionText(appId: string, session: string, call: PublicCall & { timeStamp: number; nonce: string }) {
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

/** A session name that was never issued, and the key that the server would compute for it. */
export function inventedSession(signingKey: string, appId: string): SignedSession {
  const id = (): string => randomBytes(16).toString('base64url');
  const session = `${id()}.${id()}`;
  const secret = Buffer.from(signingKey, 'hex');
  return { session, key: createHmac('sha256', secret).update(`MPC3\n${appId}\n${session}`).digest('base64url') };
}
