import { createHash, createHmac } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { base64, compareBytes, hex, utf8 } from '../../client/encoding.ts';
import { hmacSha256, md5, sha1, sha256 } from '../../client/hash.ts';

const hashes = [
  ['sha1', sha1],
  ['md5', md5],
  ['sha256', sha256],
] as const;
const bytes = fc.uint8Array({ maxLength: 300 });

describe('the SDK computes the same hashes as node:crypto', () => {
  it.each(hashes)('%s is equal at every length from 0 to 260, which covers the block boundaries', (name, hash) => {
    for (let length = 0; length <= 260; length++) {
      const message = Uint8Array.from({ length }, (_, i) => (i * 31 + length) & 255);
      expect(hex(hash(message))).toBe(createHash(name).update(message).digest('hex'));
    }
  });

  it.each(hashes)('%s is equal for random bytes', (name, hash) => {
    fc.assert(
      fc.property(bytes, (message) => {
        expect(hex(hash(message))).toBe(createHash(name).update(message).digest('hex'));
      }),
      { numRuns: 300 },
    );
  });

  it.each(hashes)('%s is equal for a body of 64 KiB and does not change it', (name, hash) => {
    const message = Uint8Array.from({ length: 65_536 }, (_, i) => (i * 7) & 255);
    const before = createHash(name).update(message).digest('hex');
    expect(hex(hash(message))).toBe(before);
    expect(createHash(name).update(message).digest('hex')).toBe(before);
  });

  it('HMAC-SHA256 is equal for keys shorter than, as long as and longer than a block', () => {
    fc.assert(
      fc.property(bytes, bytes, (key, message) => {
        expect(hex(hmacSha256(key, message))).toBe(createHmac('sha256', key).update(message).digest('hex'));
      }),
      { numRuns: 300 },
    );
    for (const length of [0, 63, 64, 65, 200]) {
      const key = new Uint8Array(length).fill(7);
      expect(hex(hmacSha256(key, utf8('x')))).toBe(createHmac('sha256', key).update('x').digest('hex'));
    }
  });
});

describe('the SDK encodes like Buffer', () => {
  it('UTF-8 is equal for any text, also with lone surrogates', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 40 }), (text) => {
        expect(Buffer.from(utf8(text)).equals(Buffer.from(text, 'utf8'))).toBe(true);
      }),
      { numRuns: 500 },
    );
    for (const text of ['', 'é', '中文', '😀', '\ud800', '\udc00x', 'a\ud83d', '｡😀', '\u0000'])
      expect([...utf8(text)]).toEqual([...Buffer.from(text, 'utf8')]);
  });

  it('base64 and hex are equal for random bytes', () => {
    fc.assert(
      fc.property(bytes, (message) => {
        expect(base64(message)).toBe(Buffer.from(message).toString('base64'));
        expect(hex(message)).toBe(Buffer.from(message).toString('hex'));
      }),
      { numRuns: 300 },
    );
  });

  it('bytes are ordered as by Buffer.compare', () => {
    fc.assert(
      fc.property(bytes, bytes, (a, b) => {
        expect(Math.sign(compareBytes(a, b))).toBe(Buffer.compare(a, b));
      }),
    );
  });
});
