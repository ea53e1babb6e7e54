// The access_token (docs/signing.md): v1 is the documents' sorted hash, v2 binds method, path, query and body.
import { base64, compareBytes, hex, utf8 } from './encoding.ts';
import { hmacSha256, md5, sha1, sha256 } from './hash.ts';

interface SigningKey {
  appId: string;
  privateKey: string;
  /** Unix seconds, ten digits. */
  timeStamp: number | string;
  /** `[A-Za-z0-9_-]{16,64}`; see freshNonce. */
  nonce: string;
}

interface SignedCall {
  httpMethod: string;
  /** The decoded path, such as `/data/notice/1`. */
  path: string;
  /** The raw query string without `?`, or '' for none. */
  query?: string;
  /** Exactly the text or the bytes that are sent, or '' for none. */
  body?: string | Uint8Array;
}

/** An access_token of the v1 scheme: who is calling and when, but not what. */
export function signV1(input: SigningKey & { method: 'SHA1' | 'MD5' }): string {
  const parts = [input.appId, String(input.timeStamp), input.nonce, input.privateKey];
  // By the bytes of UTF-8: the order of UTF-16 differs from it where a key holds characters beyond U+FFFF.
  const sorted = parts.map((text) => ({ text, bytes: utf8(text) })).sort((a, b) => compareBytes(a.bytes, b.bytes));
  const hash = input.method === 'SHA1' ? sha1 : md5;
  return accessToken(input.method, input, hex(hash(utf8(sorted.map((part) => part.text).join('')))));
}

/** An access_token of the v2 scheme, good for this one call only. */
export function signV2(input: SigningKey & SignedCall): string {
  const derived = hmacSha256(utf8(input.privateKey), utf8(`MPC2\n${input.appId}`));
  return accessToken('HMAC-SHA256', input, hex(hmacSha256(derived, utf8(stringToSign(input)))));
}

/** What a v2 signature covers; compare it with the server's when a signature is refused. Holds no secret. */
export function stringToSign(input: Omit<SigningKey, 'privateKey'> & SignedCall): string {
  return [
    'MPC2-HMAC-SHA256',
    input.appId,
    String(input.timeStamp),
    input.nonce,
    input.httpMethod.toUpperCase(),
    canonicalPath(input.path),
    canonicalQuery(queryPairs(input.query ?? '')),
    bodySha256(input.body ?? ''),
  ].join('\n');
}

/** Lower-case hex SHA-256 of the body's bytes, as in `x-content-sha256`. */
export function bodySha256(body: string | Uint8Array): string {
  return hex(sha256(typeof body === 'string' ? utf8(body) : body));
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what the server refuses
const REFUSED_IN_PATH = /[%?#\\\u0000-\u001f\u007f\ufffd]/;

/** Encodes a decoded path. Throws for what the server refuses: `% ? # \`, U+FFFD and control characters. */
export function canonicalPath(path: string): string {
  if (!path.startsWith('/')) throw new TypeError('a path starts with /');
  if (REFUSED_IN_PATH.test(path)) throw new TypeError('a path holds none of % ? # \\ U+FFFD and no control characters');
  const segments = path.split('/');
  // Every HTTP stack resolves these before it sends, so what arrived would not be what was signed.
  if (segments.some((segment) => segment === '.' || segment === '..')) throw new TypeError('a path holds no . or ..');
  return segments.map(encodeStrictly).join('/');
}

/** Names and values of a raw query string, decoded; a plus is a space. Throws for a % that is no escape. */
export function queryPairs(query: string): [string, string][] {
  const decode = (text: string): string => decodeURIComponent(text.replace(/\+/g, ' '));
  return query
    .split('&')
    .filter((part) => part !== '')
    .map((part) => {
      const equals = part.indexOf('=');
      return equals < 0 ? [decode(part), ''] : [decode(part.slice(0, equals)), decode(part.slice(equals + 1))];
    });
}

/** The query as it is signed and sent. */
export function canonicalQuery(pairs: readonly (readonly [string, string])[]): string {
  return pairs
    .map(([name, value]) => ({ name: encodeStrictly(name), value: encodeStrictly(value) }))
    .sort((a, b) => ordinal(a.name, b.name) || ordinal(a.value, b.value))
    .map(({ name, value }) => `${name}=${value}`)
    .join('&');
}

/** RFC 3986: everything but unreserved characters is encoded; encodeURIComponent leaves ! ' ( ) * alone. */
function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

// Encoded text is ASCII, where comparing UTF-16 units and comparing bytes are the same.
function ordinal(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function accessToken(signatureMethod: string, identity: SigningKey, signature: string): string {
  const { appId, timeStamp, nonce } = identity;
  const token = { signatureMethod, AppID: appId, timeStamp: String(timeStamp), nonce, signature };
  return base64(utf8(JSON.stringify(token)));
}
