import { createHmac } from 'node:crypto';
import { requiredKey } from './config.ts';

/** The key of what the server itself issues and recognises: session tokens, account addresses, first strings. */
const serverKey = requiredKey('SERVER_KEY');

/** HMAC-SHA256 under a key of its own for each purpose; parts are length-prefixed, so that they cannot run together. */
export function serverMac(
  purpose: 'session' | 'session-origin' | 'account-address' | 'first-string',
  ...parts: Array<string | Buffer>
): Buffer {
  const derived = createHmac('sha256', serverKey()).update(`mpc:${purpose}`).digest();
  const mac = createHmac('sha256', derived);
  for (const part of parts) mac.update(`${Buffer.byteLength(part)}:`).update(part);
  return mac.digest();
}
