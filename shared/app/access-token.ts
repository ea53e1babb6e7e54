import { createHmac, hash, timingSafeEqual } from 'node:crypto';

/**
 * The access_token (rows A1 to A5): base64 of a JSON text with exactly five members. Everything here is computed from
 * the token alone. Replay needs memory and is checked by admission.
 */
export type SignatureMethod = 'SHA1' | 'MD5' | 'HMAC-SHA256';
export const SIGNATURE_METHODS: readonly SignatureMethod[] = ['SHA1', 'MD5', 'HMAC-SHA256'];

export interface AccessToken {
  signatureMethod: SignatureMethod;
  appId: string;
  /** Unix seconds, ten digits. */
  timeStamp: string;
  nonce: string;
  /** Hex in lower case, with the exact length of the method. */
  signature: string;
}

/** Stable reason codes for metrics. Callers see the same answer for every refusal. */
export type TokenRefusal =
  | 'size'
  | 'charset'
  | 'base64'
  | 'utf8'
  | 'json'
  | 'form'
  | 'ambiguous-nonce'
  | 'unknown-app'
  | 'app-disabled'
  | 'method'
  | 'window'
  | 'path'
  | 'signature';

const MAX_LENGTH = 2_048;
const WINDOW_SECONDS = 300;
const AMBIGUOUS_SECONDS = 30 * 86_400;
const MEMBERS = ['signatureMethod', 'AppID', 'timeStamp', 'nonce', 'signature'] as const;
const HEX_LENGTH: Record<SignatureMethod, number> = { SHA1: 40, MD5: 32, 'HMAC-SHA256': 64 };

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Parses strictly, in this order: size, charset, canonical base64, UTF-8, flat JSON, forms. */
export function parseAccessToken(text: string): AccessToken | TokenRefusal {
  if (text.length === 0 || text.length > MAX_LENGTH) return 'size';
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return /^[A-Za-z0-9+/]+={0,2}$/.test(text) ? 'base64' : 'charset';
  let json: string;
  try {
    json = utf8.decode(bytes);
  } catch {
    return 'utf8';
  }
  const usual = USUAL.exec(json);
  if (usual) return checkForms(usual.slice(1));
  const values = parseFlatJson(json);
  return values ? checkForms(values) : 'json';
}

/** The usual form of the JSON text. Other forms are parsed more slowly, with the same result. */
const USUAL =
  /^\{"signatureMethod":"([A-Z0-9-]{3,11})","AppID":"([A-Za-z0-9_-]+)","timeStamp":"(\d{10})","nonce":"([A-Za-z0-9_-]+)","signature":"([0-9A-Fa-f]+)"\}$/;

const SPACE = '[ \\t\\r\\n]*';
const MEMBER = `${SPACE}"([A-Za-z]+)"${SPACE}:${SPACE}(?:"([^"\\\\\\x00-\\x1f]*)"|(\\d{1,15}))${SPACE}`;
const FIVE_MEMBERS = new RegExp(`^${SPACE}\\{${new Array(5).fill(MEMBER).join(',')}\\}${SPACE}$`);

/**
 * The values of a JSON object with exactly the five members, each once. A value is an integer, or a string without
 * escapes. A full JSON parser would accept duplicate names and use the last one.
 */
function parseFlatJson(json: string): Array<string | number> | undefined {
  const match = FIVE_MEMBERS.exec(json);
  if (!match) return undefined;
  const members = new Map<string, string | number>();
  for (let at = 1; at < match.length; at += 3) members.set(match[at] ?? '', match[at + 1] ?? Number(match[at + 2]));
  const values = MEMBERS.map((name) => members.get(name));
  return values.every((value) => value !== undefined) ? values : undefined;
}

/** The five values in the order of MEMBERS. */
function checkForms(values: Array<string | number>): AccessToken | TokenRefusal {
  const [method, appId, stamp, nonce, signature] = values;
  const signatureMethod = SIGNATURE_METHODS.find((known) => known === method);
  if (!signatureMethod || typeof appId !== 'string' || typeof nonce !== 'string' || typeof signature !== 'string') {
    return 'form';
  }
  const timeStamp = String(stamp);
  if (!/^[A-Za-z0-9_-]{1,64}$/.test(appId) || !/^[1-9]\d{9}$/.test(timeStamp)) return 'form';
  if (!/^[A-Za-z0-9_-]{16,64}$/.test(nonce)) return 'form';
  if (signature.length !== HEX_LENGTH[signatureMethod] || !/^[0-9a-fA-F]+$/.test(signature)) return 'form';
  if (isAmbiguous(nonce, Number(timeStamp))) return 'ambiguous-nonce';
  return { signatureMethod, appId, timeStamp, nonce, signature: signature.toLowerCase() };
}

/**
 * v1 joins its parts without separators: a nonce that begins or ends with a time could be read as another timeStamp.
 */
function isAmbiguous(nonce: string, timeStamp: number): boolean {
  return [nonce.slice(0, 10), nonce.slice(-10)].some(
    (digits) => /^\d{10}$/.test(digits) && Math.abs(Number(digits) - timeStamp) <= AMBIGUOUS_SECONDS,
  );
}

/** 300 s before and after the time. */
export const isInWindow = (token: AccessToken, nowSeconds: number): boolean =>
  Math.abs(Number(token.timeStamp) - nowSeconds) <= WINDOW_SECONDS;

export interface SignedRequest {
  method: string;
  /** Percent-decoded. */
  path: string;
  /** As it was sent. */
  rawQuery: string;
  /** SHA-256 of the body's bytes, hex in lower case. */
  bodySha256: string;
}

/** An app's key for signing. v2 uses a derived key. It is computed once, in the two forms that HMAC needs. */
export interface SigningKey {
  privateKey: string;
  inner: Buffer;
  outer: Buffer;
}

export function signingKey(appId: string, privateKey: string): SigningKey {
  const derived = createHmac('sha256', Buffer.from(privateKey, 'utf8')).update(`MPC2\n${appId}`).digest();
  const padded = (byte: number): Buffer =>
    Buffer.alloc(BLOCK_BYTES, byte).map((pad, at) => pad ^ (derived[at] ?? 0)) as Buffer;
  return { privateKey, inner: padded(0x36), outer: padded(0x5c) };
}

/** The block size of SHA-256. */
const BLOCK_BYTES = 64;

/** HMAC-SHA256 (RFC 2104) of ASCII text by two one-shot hashes. It takes two thirds of the time of createHmac. */
function hmacHex({ inner, outer }: SigningKey, text: string): string {
  const first = Buffer.allocUnsafe(BLOCK_BYTES + text.length);
  inner.copy(first);
  first.write(text, BLOCK_BYTES, 'latin1');
  const second = Buffer.allocUnsafe(BLOCK_BYTES + 32);
  outer.copy(second);
  second.write(hash('sha256', first, 'binary'), BLOCK_BYTES, 'latin1');
  return hash('sha256', second, 'hex');
}

/**
 * The signed parts, without the key. v1: the three parts that are sorted together with the key (row A4 (signature)).
 * v2: also method, path, query and body, one on each line. undefined: path or query have no canonical form, or the
 * body's hash is not a hash.
 */
export function partsToSign(token: AccessToken, request: SignedRequest): string[] | undefined {
  const { signatureMethod, appId, timeStamp, nonce } = token;
  if (signatureMethod !== 'HMAC-SHA256') return [appId, timeStamp, nonce];
  const path = canonicalPath(request.path);
  const query = canonicalQuery(request.rawQuery);
  if (path === undefined || query === undefined || !/^[0-9a-f]{64}$/.test(request.bodySha256)) return undefined;
  return ['MPC2-HMAC-SHA256', appId, timeStamp, nonce, request.method, path, query, request.bodySha256];
}

/** The signature of these parts with this key. v1 sorts them by bytes, joins and hashes. */
export function signatureOf(method: SignatureMethod, parts: readonly string[], key: SigningKey): string {
  if (method === 'HMAC-SHA256') return hmacHex(key, parts.join('\n'));
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
