import { optionalKeys } from '../config.ts';
import type { AccessToken } from './access-token.ts';
import { type HmacKey, hmac, hmacKey } from './hmac.ts';
import { currentSigningKey, preparedKey, sessionKeyUnder } from './session-key.ts';
import { type SignedRequest, signaturesEqual, signedTarget } from './signature.ts';

/** Verifies what a session signed (v3). Only the authorizer imports this file. */

/** Former signing keys, the newest first. They verify, and make no keys. Each costs one more HMAC for a forged token. */
const formerSigningKeys = optionalKeys('SIGNING_KEY_OLD', 2);

/** The header as it was received, '' without one. Beyond this form two headers could have one signature. */
const IDEMPOTENCY_KEY = /^[!-~]{0,128}$/;

/** The text that a session signs. undefined: path, query, body hash or idempotency key have no canonical form. */
export function textOfSession(
  { appId, session, timeStamp, nonce }: AccessToken,
  request: SignedRequest,
  idempotencyKey: string,
): string | undefined {
  const target = signedTarget(request);
  if (!target || !IDEMPOTENCY_KEY.test(idempotencyKey)) return undefined;
  const parts = ['MPC3-HMAC-SHA256', appId, session, timeStamp, nonce, ...target, idempotencyKey, request.bodySha256];
  return parts.join('\n');
}

/** Which signing key made the key that signed it. undefined: none. Only computation, no engine is asked. */
export function sessionSigner(
  token: AccessToken,
  request: SignedRequest,
  idempotencyKey: string,
): 'current' | 'former' | undefined {
  const text = textOfSession(token, request, idempotencyKey);
  if (text === undefined) return undefined;
  const isMadeUnder = (secret: HmacKey): boolean => {
    const key = sessionKeyUnder(secret, token.appId, token.session);
    return signaturesEqual(token.signature, hmac(hmacKey(Buffer.from(key, 'latin1')), text));
  };
  if (isMadeUnder(currentSigningKey())) return 'current';
  return formerSigningKeys().some((key) => isMadeUnder(preparedKey(key))) ? 'former' : undefined;
}
