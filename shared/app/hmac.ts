import { hash } from 'node:crypto';

/** HMAC-SHA256 (RFC 2104) by two one-shot hashes. It takes two thirds of the time of createHmac. */

/** A key in the two forms that HMAC needs. */
export interface HmacKey {
  inner: Buffer;
  outer: Buffer;
}

/** The block size of SHA-256. */
const BLOCK_BYTES = 64;

/** `key`: at most 64 bytes. */
export function hmacKey(key: Buffer): HmacKey {
  const inner = Buffer.alloc(BLOCK_BYTES, 0x36);
  const outer = Buffer.alloc(BLOCK_BYTES, 0x5c);
  for (let at = 0; at < key.length; at++) {
    const byte = key[at] as number;
    inner[at] = byte ^ 0x36;
    outer[at] = byte ^ 0x5c;
  }
  return { inner, outer };
}

/** `text`: ASCII. Another character would lose its upper byte, and two texts would have one HMAC. */
export function hmac({ inner, outer }: HmacKey, text: string, encoding: 'hex' | 'base64url' = 'hex'): string {
  const first = Buffer.allocUnsafe(BLOCK_BYTES + text.length);
  inner.copy(first);
  first.write(text, BLOCK_BYTES, 'latin1');
  const second = Buffer.allocUnsafe(BLOCK_BYTES + 32);
  outer.copy(second);
  second.write(hash('sha256', first, 'binary'), BLOCK_BYTES, 'latin1');
  return hash('sha256', second, encoding);
}
