import { requiredKey } from '../config.ts';
import { type HmacKey, hmac, hmacKey } from './hmac.ts';

/**
 * The key of a session signs the calls of a public app (row A4 (signature)). No engine has it: the authorizer computes it
 * again from the name of the session. It is text, and its bytes are the key of the HMAC.
 */
const signingKey = requiredKey('SIGNING_KEY');

/** `session`: `<userId>.<sid>`. 43 characters. */
export const sessionKeyUnder = (secret: HmacKey, appId: string, session: string): string =>
  hmac(secret, `MPC3\n${appId}\n${session}`, 'base64url');

const prepared = new WeakMap<Buffer, HmacKey>();

/** A signing key in the form that HMAC needs, computed once. */
export function preparedKey(key: Buffer): HmacKey {
  const known = prepared.get(key) ?? hmacKey(key);
  prepared.set(key, known);
  return known;
}

export const currentSigningKey = (): HmacKey => preparedKey(signingKey());
