import { createHmac, hash, timingSafeEqual } from 'node:crypto';
import type { AccessToken, SignatureMethod } from './access-token.ts';
import { type HmacKey, hmac, hmacKey } from './hmac.ts';

/** The signature of an access_token (row A4 (signature)): what is signed, in its canonical form, and with which key. */
export interface SignedRequest {
  method: string;
  /** Percent-decoded. */
  path: string;
  /** As it was sent. */
  rawQuery: string;
  /** SHA-256 of the body's bytes, hex in lower case. */
  bodySha256: string;
}

/** An app's key for signing. v2 uses a derived key, which is computed once. */
export interface SigningKey extends HmacKey {
  privateKey: string;
}

export function signingKey(appId: string, privateKey: string): SigningKey {
  const derived = createHmac('sha256', Buffer.from(privateKey, 'utf8')).update(`MPC2\n${appId}`).digest();
  return { privateKey, ...hmacKey(derived) };
}

/**
 * The signed parts, without the key. v1: the three parts that are sorted together with the key (row A4 (signature)).
 * v2: also method, path, query and body, one on each line. undefined: path or query have no canonical form, or the
 * body's hash is not a hash.
 */
export function partsToSign(token: AccessToken, request: SignedRequest): string[] | undefined {
  const { signatureMethod, appId, timeStamp, nonce } = token;
  if (signatureMethod !== 'HMAC-SHA256') return [appId, timeStamp, nonce];
  const target = signedTarget(request);
  return target && ['MPC2-HMAC-SHA256', appId, timeStamp, nonce, ...target, request.bodySha256];
}

/** Method, path and query in canonical form. undefined: one of them has none, or the body's hash is not a hash. */
export function signedTarget({ method, path, rawQuery, bodySha256 }: SignedRequest): string[] | undefined {
  const canonical = canonicalPath(path);
  const query = canonicalQuery(rawQuery);
  if (canonical === undefined || query === undefined || !/^[0-9a-f]{64}$/.test(bodySha256)) return undefined;
  return [method, canonical, query];
}

/** The signature of these parts with this key. v1 sorts them by bytes, joins and hashes. */
export function signatureOf(method: SignatureMethod, parts: readonly string[], key: SigningKey): string {
  if (method === 'HMAC-SHA256') return hmac(key, parts.join('\n'));
  // All parts except the key are ASCII, so the order of UTF-16 is the order of bytes.
  return hash(method === 'SHA1' ? 'sha1' : 'md5', [...parts, key.privateKey].sort().join(''), 'hex');
}

/** Compares in constant time. Both are hex with the length of the method. */
export function signaturesEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

const UNRESERVED = /^[A-Za-z0-9._~-]*$/;
/** Throws URIError for a percent sign that does not begin an escape. */
const decode = (text: string): string => (UNRESERVED.test(text) ? text : decodeURIComponent(text.replaceAll('+', ' ')));

/** Encodes all characters except the unreserved ones of RFC 3986. encodeURIComponent does not encode ! * ' ( ). */
const encode = (text: string): string =>
  UNRESERVED.test(text)
    ? text
    : encodeURIComponent(text).replace(/[!*'()]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * The decoded path, for the signature and for the handler. API Gateway decodes it, and cuts it at a decoded `?`.
 * undefined: the path could be read in two ways and is refused.
 */
export function decodePath(rawPath: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are refused here.
  return /[%?#\\\x00-\x1f\x7f]|\ufffd/.test(rawPath) || !rawPath.startsWith('/') ? undefined : rawPath;
}

function canonicalPath(path: string): string | undefined {
  if (/^\/[A-Za-z0-9._~/-]*$/.test(path)) return path;
  const decoded = decodePath(path);
  if (decoded === undefined) return undefined;
  try {
    return decoded.split('/').map(encode).join('/');
  } catch {
    return undefined;
  }
}

/**
 * Decodes names and values (+ is a space), encodes them again and sorts them by bytes. undefined: an invalid escape.
 */
export function canonicalQuery(rawQuery: string): string | undefined {
  if (rawQuery === '') return '';
  try {
    const pairs = rawQuery
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const [name = '', ...value] = pair.split('=');
        return [encode(decode(name)), encode(decode(value.join('=')))] as const;
      });
    // The encoded text is ASCII, so < compares bytes.
    pairs.sort(([nameA, valueA], [nameB, valueB]) => order(nameA, nameB) || order(valueA, valueB));
    return pairs.map(([name, value]) => `${name}=${value}`).join('&');
  } catch {
    return undefined;
  }
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
