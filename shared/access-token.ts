import { createHash, createHmac, timingSafeEqual } from 'node:crypto';

/**
 * The access_token (rows A1-A5): base64 of a JSON text with exactly five members. Everything here is computation on
 * the token alone; replay, which needs memory, belongs to admission.
 */
export type SignatureMethod = 'SHA1' | 'MD5' | 'HMAC-SHA256';
export const SIGNATURE_METHODS: readonly SignatureMethod[] = ['SHA1', 'MD5', 'HMAC-SHA256'];

export interface AccessToken {
  signatureMethod: SignatureMethod;
  appId: string;
  /** Unix seconds, ten digits. */
  timeStamp: string;
  nonce: string;
  /** Lower-case hex of the method's exact length. */
  signature: string;
}

/** Stable reason codes for metrics; from outside every refusal looks the same. */
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

/** Strict parse, in this order: size, charset, canonical base64, UTF-8, flat JSON, forms. */
export function parseAccessToken(text: string): AccessToken | TokenRefusal {
  if (text.length === 0 || text.length > MAX_LENGTH) return 'size';
  if (!/^[A-Za-z0-9+/]+={0,2}$/.test(text)) return 'charset';
  const bytes = Buffer.from(text, 'base64');
  if (bytes.toString('base64') !== text) return 'base64';
  let json: string;
  try {
    json = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return 'utf8';
  }
  const members = parseFlatJson(json);
  if (!members) return 'json';
  return checkForms(members);
}

/**
 * A JSON object of exactly the five members, each once, holding strings without escapes or integers. A full JSON
 * parser would take duplicate names and let the last one win.
 */
function parseFlatJson(json: string): Map<string, string | number> | undefined {
  const space = '[ \\t\\r\\n]*';
  const member = new RegExp(
    `${space}"([A-Za-z]+)"${space}:${space}(?:"([^"\\\\\\x00-\\x1f]*)"|(\\d{1,15}))${space}([,}])`,
    'y',
  );
  const opening = /^[ \t\r\n]*\{/.exec(json);
  if (!opening) return undefined;
  const members = new Map<string, string | number>();
  member.lastIndex = opening[0].length;
  for (;;) {
    const match = member.exec(json);
    if (!match) return undefined;
    const [, name = '', text, digits, after] = match;
    if (members.has(name) || !(MEMBERS as readonly string[]).includes(name)) return undefined;
    members.set(name, text ?? Number(digits));
    if (after === '}') break;
  }
  const rest = json.slice(member.lastIndex);
  return members.size === MEMBERS.length && /^[ \t\r\n]*$/.test(rest) ? members : undefined;
}

function checkForms(members: Map<string, string | number>): AccessToken | TokenRefusal {
  const [method, appId, stamp, nonce, signature] = MEMBERS.map((name) => members.get(name));
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

/** v1 joins without separators: a nonce that begins or ends with a time could be read as another timeStamp. */
function isAmbiguous(nonce: string, timeStamp: number): boolean {
  return [nonce.slice(0, 10), nonce.slice(-10)].some(
    (digits) => /^\d{10}$/.test(digits) && Math.abs(Number(digits) - timeStamp) <= AMBIGUOUS_SECONDS,
  );
}

/** ±300 s both ways. */
export const isInWindow = (token: AccessToken, nowSeconds: number): boolean =>
  Math.abs(Number(token.timeStamp) - nowSeconds) <= WINDOW_SECONDS;

export interface SignedRequest {
  method: string;
  /** Percent-decoded. */
  path: string;
  /** As sent. */
  rawQuery: string;
  /** Lower-case hex SHA-256 of the body's bytes. */
  bodySha256: string;
}

/**
 * The signature a holder of `privateKey` would make: v1 sorts by bytes, joins and hashes (row A4); v2 binds method,
 * path, query and body. undefined: the path or query cannot be canonicalised.
 */
export function expectedSignature(token: AccessToken, privateKey: string, request: SignedRequest): string | undefined {
  const { signatureMethod, appId, timeStamp, nonce } = token;
  if (signatureMethod !== 'HMAC-SHA256') {
    const parts = [appId, timeStamp, nonce, privateKey].map((part) => Buffer.from(part, 'utf8'));
    const joined = Buffer.concat(parts.sort(Buffer.compare));
    return createHash(signatureMethod === 'SHA1' ? 'sha1' : 'md5')
      .update(joined)
      .digest('hex');
  }
  const path = canonicalPath(request.path);
  const query = canonicalQuery(request.rawQuery);
  if (path === undefined || query === undefined) return undefined;
  const derived = createHmac('sha256', Buffer.from(privateKey, 'utf8')).update(`MPC2\n${appId}`).digest();
  const toSign = ['MPC2-HMAC-SHA256', appId, timeStamp, nonce, request.method, path, query, request.bodySha256].join(
    '\n',
  );
  return createHmac('sha256', derived).update(toSign).digest('hex');
}

/** Constant time; both are hex of the method's length. */
export function signaturesEqual(given: string, expected: string): boolean {
  const [a, b] = [Buffer.from(given), Buffer.from(expected)];
  return a.length === b.length && timingSafeEqual(a, b);
}

/** RFC 3986: all but the unreserved characters. encodeURIComponent leaves ! * ' ( ) as they are. */
const encode = (text: string): string =>
  encodeURIComponent(text).replace(/[!*'()]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

/**
 * The decoded path, for signature and handler alike. API Gateway decodes it, and cuts at a decoded `?`: what could be
 * read in two ways is refused (undefined).
 */
export function decodedPath(rawPath: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused.
  return /[%?#\\\x00-\x1f\x7f]|\ufffd/.test(rawPath) || !rawPath.startsWith('/') ? undefined : rawPath;
}

function canonicalPath(path: string): string | undefined {
  const decoded = decodedPath(path);
  if (decoded === undefined) return undefined;
  try {
    return decoded.split('/').map(encode).join('/');
  } catch {
    return undefined;
  }
}

/** Names and values decoded (+ is a space), encoded again, sorted by bytes. undefined: a percent sign is no escape. */
export function canonicalQuery(rawQuery: string): string | undefined {
  if (rawQuery === '') return '';
  const decode = (text: string): string => decodeURIComponent(text.replaceAll('+', ' '));
  try {
    const pairs = rawQuery
      .split('&')
      .filter((pair) => pair !== '')
      .map((pair) => {
        const [name = '', ...value] = pair.split('=');
        return [encode(decode(name)), encode(decode(value.join('=')))] as const;
      });
    // Encoded text is ASCII, where < compares bytes.
    pairs.sort(([nameA, valueA], [nameB, valueB]) => order(nameA, nameB) || order(valueA, valueB));
    return pairs.map(([name, value]) => `${name}=${value}`).join('&');
  } catch {
    return undefined;
  }
}

const order = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
