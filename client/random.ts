// Nonces and idempotency keys. Math.random is no source: two devices that start alike would draw the same nonces.
import { hex } from './encoding.ts';

/** Draws `length` random bytes; wx.getRandomValues answers later, crypto.getRandomValues at once. */
export type RandomSource = (length: number) => Uint8Array | Promise<Uint8Array>;

// Ten digits at either end could be read as a second timeStamp by a v1 check, so such a draw is thrown away: about
// one in fifty. The server refuses only those near the time; refusing all needs no clock.
const AMBIGUOUS = /^\d{10}|\d{10}$/;
const DRAWS = 32;

/** 32 hex characters that never begin or end in ten digits. */
export async function freshNonce(random: RandomSource): Promise<string> {
  for (let draw = 0; draw < DRAWS; draw++) {
    const bytes = await random(16);
    if (bytes.length !== 16) throw new Error('the random source did not give 16 bytes');
    const nonce = hex(bytes);
    if (!AMBIGUOUS.test(nonce)) return nonce;
  }
  throw new Error('the random source repeats itself');
}

// Declared here, since not every platform has it.
declare const crypto: { getRandomValues?(into: Uint8Array): unknown } | undefined;

/** The platform's own crypto.getRandomValues, or null where there is none. */
export function platformRandom(): RandomSource | null {
  const source = typeof crypto === 'undefined' ? undefined : crypto;
  if (typeof source?.getRandomValues !== 'function') return null;
  return (length) => {
    const bytes = new Uint8Array(length);
    source.getRandomValues?.(bytes);
    return bytes;
  };
}
