import { createHmac } from 'node:crypto';
import { requiredKey } from './config.ts';

/** The secret behind what the server issues and later recognises: session tokens, account addresses, first strings. */
const serverKey = requiredKey('SERVER_KEY');

/**
 * HMAC-SHA256 with a separate key for each purpose. Each part is preceded by its length, so that `ab`, `c` and `a`,
 * `bc` give different results.
 */
export function serverMac(
  purpose:
    | 'session'
    | 'session-origin'
    | 'list-cursor'
    | 'account-address'
    | 'first-string'
    | 'device-mark'
    | 'reserved-account'
    | 'identity-subject',
  ...parts: Array<string | Buffer>
): Buffer {
  const derived = createHmac('sha256', serverKey()).update(`mpc:${purpose}`).digest();
  const mac = createHmac('sha256', derived);
  for (const part of parts) mac.update(`${Buffer.byteLength(part)}:`).update(part);
  return mac.digest();
}
