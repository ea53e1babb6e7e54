// SHA-1, MD5, SHA-256 (FIPS 180-4, RFC 1321) and HMAC-SHA256 (RFC 2104) in plain ECMAScript, because a mini-program
// has no crypto.subtle. SHA-1 and MD5 are only for the v1 signature and the channel digest.

const BLOCK = 64;

type Compress = (state: Int32Array, words: Int32Array) => void;

/** The Merkle-Damgard construction of all three: 64-byte blocks, a 1 bit, zeros, the length in bits. */
function digest(message: Uint8Array, start: readonly number[], littleEndian: boolean, compress: Compress): Uint8Array {
  // Room for the 1 bit and the length, in whole blocks.
  const padded = new Uint8Array((message.length + 8 + BLOCK) & -BLOCK);
  padded.set(message);
  padded[message.length] = 0x80;
  const view = new DataView(padded.buffer);
  // The upper half of the 64 bits is 0: no message has 512 MB.
  view.setUint32(padded.length - (littleEndian ? 8 : 4), message.length * 8, littleEndian);

  const state = Int32Array.from(start);
  const words = new Int32Array(BLOCK + 16);
  for (let offset = 0; offset < padded.length; offset += BLOCK) {
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(offset + i * 4, littleEndian);
    compress(state, words);
  }
  const out = new Uint8Array(state.length * 4);
  const outView = new DataView(out.buffer);
  state.forEach((word, i) => {
    outView.setInt32(i * 4, word, littleEndian);
  });
  return out;
}

const left = (word: number, bits: number): number => (word << bits) | (word >>> (32 - bits));
const right = (word: number, bits: number): number => (word >>> bits) | (word << (32 - bits));
const at = (words: Int32Array | readonly number[], i: number): number => words[i] as number;

function add(state: Int32Array, values: readonly number[]): void {
  for (let i = 0; i < values.length; i++) state[i] = (at(state, i) + at(values, i)) | 0;
}

function fraction(value: number): number {
  return ((value % 1) * 0x100000000) | 0;
}

/** The first 64 primes. The constants of SHA-256 are the fractions of their roots (FIPS 180-4, 4.2.2 and 5.3.3). */
const primes: readonly number[] = (() => {
  const found: number[] = [];
  for (let n = 2; found.length < 64; n++) if (found.every((prime) => n % prime !== 0)) found.push(n);
  return found;
})();

// Computed, not listed. A double is exact enough: each constant is 1000 times its error from a rounding border.
const SHA256_ROUNDS = primes.map((prime) => fraction(prime ** (1 / 3)));
const SHA256_START = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

export function sha256(message: Uint8Array): Uint8Array {
  return digest(message, SHA256_START, false, (state, w) => {
    for (let i = 16; i < 64; i++) {
      const w15 = at(w, i - 15);
      const w2 = at(w, i - 2);
      const s0 = right(w15, 7) ^ right(w15, 18) ^ (w15 >>> 3);
      const s1 = right(w2, 17) ^ right(w2, 19) ^ (w2 >>> 10);
      w[i] = (at(w, i - 16) + s0 + at(w, i - 7) + s1) | 0;
    }
    let [a, b, c, d, e, f, g, h] = state as unknown as [number, number, number, number, number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const s1 = right(e, 6) ^ right(e, 11) ^ right(e, 25);
      const t1 = (h + s1 + ((e & f) ^ (~e & g)) + at(SHA256_ROUNDS, i) + at(w, i)) | 0;
      const s0 = right(a, 2) ^ right(a, 13) ^ right(a, 22);
      const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + t1) | 0;
      d = c;
      c = b;
      b = a;
      a = (t1 + t2) | 0;
    }
    add(state, [a, b, c, d, e, f, g, h]);
  });
}

const MD5_START = [0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476] as const;
const SHA1_ROUNDS = [0x5a827999, 0x6ed9eba1, 0x8f1bbcdc, 0xca62c1d6] as const;

export function sha1(message: Uint8Array): Uint8Array {
  return digest(message, [...MD5_START, 0xc3d2e1f0], false, (state, w) => {
    for (let i = 16; i < 80; i++) w[i] = left(at(w, i - 3) ^ at(w, i - 8) ^ at(w, i - 14) ^ at(w, i - 16), 1);
    let [a, b, c, d, e] = state as unknown as [number, number, number, number, number];
    for (let i = 0; i < 80; i++) {
      const quarter = (i / 20) | 0;
      const mix = quarter === 0 ? (b & c) | (~b & d) : quarter === 2 ? (b & c) | (b & d) | (c & d) : b ^ c ^ d;
      const next = (left(a, 5) + mix + e + at(SHA1_ROUNDS, quarter) + at(w, i)) | 0;
      e = d;
      d = c;
      c = left(b, 30);
      b = a;
      a = next;
    }
    add(state, [a, b, c, d, e]);
  });
}

const MD5_SHIFTS = [7, 12, 17, 22, 5, 9, 14, 20, 4, 11, 16, 23, 6, 10, 15, 21] as const;
const MD5_ROUNDS = Array.from({ length: 64 }, (_, i) => (Math.abs(Math.sin(i + 1)) * 0x100000000) | 0);

export function md5(message: Uint8Array): Uint8Array {
  return digest(message, MD5_START, true, (state, w) => {
    let [a, b, c, d] = state as unknown as [number, number, number, number];
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      const mix =
        round === 0 ? (b & c) | (~b & d) : round === 1 ? (d & b) | (~d & c) : round === 2 ? b ^ c ^ d : c ^ (b | ~d);
      const word = round === 0 ? i : round === 1 ? 5 * i + 1 : round === 2 ? 3 * i + 5 : 7 * i;
      const sum = (a + mix + at(MD5_ROUNDS, i) + at(w, word & 15)) | 0;
      a = d;
      d = c;
      c = b;
      b = (b + left(sum, at(MD5_SHIFTS, round * 4 + (i & 3)))) | 0;
    }
    add(state, [a, b, c, d]);
  });
}

export function hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
  const block = new Uint8Array(BLOCK);
  block.set(key.length > BLOCK ? sha256(key) : key);
  const inner = new Uint8Array(BLOCK + message.length);
  inner.set(block.map((byte) => byte ^ 0x36));
  inner.set(message, BLOCK);
  const outer = new Uint8Array(BLOCK + 32);
  outer.set(block.map((byte) => byte ^ 0x5c));
  outer.set(sha256(inner), BLOCK);
  return sha256(outer);
}
