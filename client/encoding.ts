// Text, bytes, hex and base64 in plain ECMAScript: a mini-program has no TextEncoder, Buffer or btoa.

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

/** UTF-8 bytes of a text. Half of a surrogate pair becomes U+FFFD, as in TextEncoder. */
export function utf8(text: string): Uint8Array {
  const bytes: number[] = [];
  for (const character of text) {
    const point = character.codePointAt(0) as number;
    if (point < 0x80) bytes.push(point);
    // `%E8%8C%B6`
    else for (const byte of escaped(character, point)) bytes.push(Number(`0x${byte}`));
  }
  return Uint8Array.from(bytes);
}

function escaped(character: string, point: number): string[] {
  const isHalf = point >= 0xd800 && point <= 0xdfff;
  return encodeURIComponent(isHalf ? '\ufffd' : character)
    .slice(1)
    .split('%');
}

/** Hex in lower case. */
export function hex(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += (byte + 256).toString(16).slice(1);
  return text;
}

/** Base64 with padding (RFC 4648 section 4). */
export function base64(bytes: Uint8Array): string {
  let text = '';
  for (let i = 0; i < bytes.length; i += 3) {
    const left = bytes.length - i;
    // Beyond the end there is undefined, which is 0 for these operators.
    const [a, b, c] = [bytes[i], bytes[i + 1], bytes[i + 2]] as [number, number, number];
    const group = (a << 16) | (b << 8) | c;
    text += BASE64.charAt(group >> 18) + BASE64.charAt((group >> 12) & 63);
    text += left > 1 ? BASE64.charAt((group >> 6) & 63) : '=';
    text += left > 2 ? BASE64.charAt(group & 63) : '=';
  }
  return text;
}

/** Compares unsigned bytes. If one array is the beginning of the other, the shorter one comes first. */
export function compareBytes(a: Uint8Array, b: Uint8Array): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference) return difference;
  }
  return a.length - b.length;
}
