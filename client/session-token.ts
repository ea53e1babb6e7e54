// The access_token of a public app (docs/signing.md): signed by a session (v3), or before a login only the app's name.
import { hex, utf8 } from './encoding.ts';
import { hmacSha256 } from './hash.ts';
import { partsOfCall, type SignedCall, tokenOf } from './sign.ts';

interface SessionIdentity {
  appId: string;
  /** `<userId>.<sid>`: a name, no secret. */
  session: string;
  /** Unix seconds, ten digits. */
  timeStamp: number | string;
  /** `[A-Za-z0-9_-]{16,64}`; see freshNonce. */
  nonce: string;
}

interface KeyedCall extends SignedCall {
  /** The header as it is sent, or '' for none. */
  idempotencyKey?: string;
}

/** An access_token of version 3, valid for this one call only. `key` is the text that the login answered. */
export function signV3(input: SessionIdentity & KeyedCall & { key: string }): string {
  const { appId, session, nonce } = input;
  // One spelling only: these members, in this order, as strings.
  return tokenOf({
    signatureMethod: 'SESSION-HMAC-SHA256',
    AppID: appId,
    session,
    timeStamp: String(input.timeStamp),
    nonce,
    signature: hex(hmacSha256(utf8(input.key), utf8(sessionStringToSign(input)))),
  });
}

/** The text that a v3 signature covers. It has no secret. */
export function sessionStringToSign(input: SessionIdentity & KeyedCall): string {
  const { appId, session, timeStamp, nonce, idempotencyKey = '' } = input;
  // The server reads headers as Latin-1: another character would be signed as one text and arrive as another.
  if (!/^[!-~]{0,128}$/.test(idempotencyKey)) throw new TypeError('an idempotency key must be printable ASCII');
  const [method, path, query, body] = partsOfCall(input);
  const identity = ['MPC3-HMAC-SHA256', appId, session, String(timeStamp), nonce];
  return [...identity, method, path, query, idempotencyKey, body].join('\n');
}

/** Proves nothing: the server takes it only where the operator opened the route to unsigned calls. */
export function namedToken(appId: string): string {
  return tokenOf({ AppID: appId });
}
