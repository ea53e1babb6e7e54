// Nonces and idempotency keys. Math.random is not used: two devices with the same start would get the same nonces.
import { hex } from './encoding.ts';

/** Returns `length` random bytes. wx.getRandomValues returns them later, crypto.getRandomValues at once. */
export type RandomSource = (length: number) => Uint8Array | Promise<Uint8Array>;

// A v1 check could read ten digits at either end as a second timeStamp. So such a nonce is discarded, about one in
// fifty. The server refuses only digits near the time; refusing all of them needs no clock.
const AMBIGUOUS = /^\d{10}|\d{10}$/;
const DRAWS = 32;

/** 32 hex characters that neither begin nor end with ten digits. */
export async function freshNonce(random: RandomSource): Promise<string> {
  for (let draw = 0; draw < DRAWS; draw++) {
    const bytes = await random(16);
    if (bytes.length !== 16) throw new Error('random: not 16 bytes');
    const nonce = hex(bytes);
    if (!AMBIGUOUS.test(nonce)) return nonce;
  }
  throw new Error('random: repeats itself');
}

// Declared here, because some platforms do not have it.
declare const crypto: { getRandomValues?(into: Uint8Array): unknown } | undefined;

/** The platform's own crypto.getRandomValues; null: it has none. */
export function platformRandom(): RandomSource | null {
  if (typeof crypto === 'undefined' || !crypto.getRandomValues) return null;
  const source = crypto as Required<typeof crypto>;
  return (length) => {
    const bytes = new Uint8Array(length);
    source.getRandomValues(bytes);
    return bytes;
  };
}
