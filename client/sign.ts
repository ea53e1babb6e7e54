// The access_token (docs/signing.md): v1 is a hash of sorted parts; v2 covers method, path, query and body.
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

export interface SignedCall {
  httpMethod: string;
  /** The decoded path, such as `/data/notice/1`. */
  path: string;
  /** The raw query string without `?`, or '' for none. */
  query?: string;
  /** Exactly the text or bytes that are sent, or '' for none. */
  body?: string | Uint8Array;
}

/** An access_token of version 1: it proves the caller and the time, but not the content of the call. */
export function signV1(input: SigningKey & { method: 'SHA1' | 'MD5' }): string {
  const parts = [input.appId, String(input.timeStamp), input.nonce, input.privateKey];
  // Sorted by UTF-8 bytes. The order of UTF-16 differs if a key has characters beyond U+FFFF.
  parts.sort((a, b) => compareBytes(utf8(a), utf8(b)));
  const hash = input.method === 'SHA1' ? sha1 : md5;
  return accessToken(input.method, input, hex(hash(utf8(parts.join('')))));
}

/** An access_token of version 2, valid for this one call only. */
export function signV2(input: SigningKey & SignedCall): string {
  const derived = hmacSha256(utf8(input.privateKey), utf8(`MPC2\n${input.appId}`));
  return accessToken('HMAC-SHA256', input, hex(hmacSha256(derived, utf8(stringToSign(input)))));
}

/** The text that a v2 signature covers. Compare it with the server's when a signature is refused. It has no secret. */
export function stringToSign(input: Omit<SigningKey, 'privateKey'> & SignedCall): string {
  return ['MPC2-HMAC-SHA256', input.appId, String(input.timeStamp), input.nonce, ...partsOfCall(input)].join('\n');
}

/** What v2 and v3 sign of a call. */
export function partsOfCall({
  httpMethod,
  path,
  query = '',
  body = '',
}: SignedCall): [method: string, path: string, query: string, body: string] {
  return [httpMethod.toUpperCase(), canonicalPath(path), canonicalQuery(queryPairs(query)), bodySha256(body)];
}

/** SHA-256 of the body's bytes, hex in lower case, as in `x-content-sha256`. */
export function bodySha256(body: string | Uint8Array): string {
  return hex(sha256(typeof body === 'string' ? utf8(body) : body));
}

// Every HTTP stack resolves . and .. before it sends, so the path that arrives would differ from the signed one.
// biome-ignore lint/suspicious/noControlCharactersInRegex: the server refuses control characters
const REFUSED_PATH = /^[^/]|^$|\/\.\.?(\/|$)|[%?#\\\u0000-\u001f\u007f\ufffd]/;

/** Encodes a decoded path. Throws for characters that the server refuses: `% ? # \`, U+FFFD and control characters. */
export function canonicalPath(path: string): string {
  if (REFUSED_PATH.test(path)) throw new TypeError(`not a path that can be signed: ${path}`);
  return path.split('/').map(encodeStrictly).join('/');
}

/** Decoded names and values of a raw query string; a plus is a space. Throws for a % that does not begin an escape. */
export function queryPairs(query: string): [string, string][] {
  const decode = (text: string): string => decodeURIComponent(text.replace(/\+/g, ' '));
  return query
    .split('&')
    .filter(Boolean)
    .map((part) => {
      const [name = '', value = ''] = part.split(/=(.*)/s);
      return [decode(name), decode(value)];
    });
}

/** The query in the form in which it is signed and sent. */
export function canonicalQuery(pairs: readonly (readonly [string, string])[]): string {
  // Encoded text is ASCII, so UTF-16 order is byte order. The line feed sorts a name before its longer neighbours.
  return pairs
    .map(([name, value]) => `${encodeStrictly(name)}\n${encodeStrictly(value)}`)
    .sort()
    .map((pair) => pair.replace('\n', '='))
    .join('&');
}

/** Encodes all but the unreserved characters of RFC 3986. encodeURIComponent does not encode ! ' ( ) *. */
function encodeStrictly(text: string): string {
  return encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
}

function accessToken(signatureMethod: string, identity: SigningKey, signature: string): string {
  const { appId, timeStamp, nonce } = identity;
  return tokenOf({ signatureMethod, AppID: appId, timeStamp: String(timeStamp), nonce, signature });
}

/** An access_token is base64 of JSON. */
export function tokenOf(members: object): string {
  return base64(utf8(JSON.stringify(members)));
}
