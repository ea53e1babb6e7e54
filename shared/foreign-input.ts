/** Strict readers for what servers of others send. A value of another form is null or undefined, never an exception. */

/** undefined: the value is not an object, or does not have the member itself. */
export function member(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || !Object.hasOwn(value, name))
    return undefined;
  return (value as Record<string, unknown>)[name];
}

/** null: the bytes are not UTF-8. */
export function readUtf8(bytes: Buffer): string | null {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    return null;
  }
}

/** A JSON object from UTF-8 bytes; null otherwise. */
export function readJson(bytes: Buffer): object | null {
  try {
    const value: unknown = JSON.parse(readUtf8(bytes) ?? '');
    return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : null;
  } catch {
    return null;
  }
}

export function text(value: unknown): string | null {
  return typeof value === 'string' && value.length > 0 && value.length <= 128 ? value : null;
}

/** Accepts only canonical base64, so that each signature or ciphertext has one form. null: anything else. */
export function readBase64(text: string): Buffer | null {
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return null;
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : null;
}
