import { createHash, createHmac } from 'node:crypto';
import { objectUrl, type Store } from './settings.ts';

/**
 * AWS Signature Version 4 for one request to the store, in its query (for clients) or in its headers (for this service).
 * Source: "Authenticating Requests (AWS Signature Version 4)" of the S3 API reference. Keys of objects have only
 * characters that need no encoding. Record 23 in docs/decisions says why no library does this.
 */
interface Signed {
  method: 'GET' | 'HEAD' | 'PUT' | 'DELETE';
  key: string;
  /** Names in lower case. All of them are signed. */
  headers?: Readonly<Record<string, string>>;
  /** Unix milliseconds. */
  at: number;
}

const ALGORITHM = 'AWS4-HMAC-SHA256';
const PAYLOAD_HASH = 'x-amz-content-sha256';

/** The address with the signature in it. It is valid for `seconds` from `at`. */
export function signedAddress(store: Store, { method, key, headers = {}, at }: Signed, seconds: number): string {
  const url = objectUrl(store, key);
  const { time, scope } = scopeOf(store, at);
  const signed: Record<string, string> = { ...headers, host: url.host };
  const query = [
    ['X-Amz-Algorithm', ALGORITHM],
    ['X-Amz-Credential', `${store.keyId}/${scope}`],
    ['X-Amz-Date', time],
    ['X-Amz-Expires', String(seconds)],
    ['X-Amz-SignedHeaders', namesOf(signed)],
  ]
    .map(([name = '', value = '']) => `${name}=${encoded(value)}`)
    .join('&');
  const signature = signatureOf(store, [method, url.pathname, query], signed, time, scope);
  return `${url.origin}${url.pathname}?${query}&X-Amz-Signature=${signature}`;
}

/** The headers of a request without a body, with the signature among them. */
export function signedHeaders(store: Store, { method, key, headers = {}, at }: Signed): Record<string, string> {
  const url = objectUrl(store, key);
  const { time, scope } = scopeOf(store, at);
  const sent: Record<string, string> = { ...headers, 'x-amz-date': time, [PAYLOAD_HASH]: sha256('') };
  const signed: Record<string, string> = { ...sent, host: url.host };
  const signature = signatureOf(store, [method, url.pathname, ''], signed, time, scope);
  const credential = `${store.keyId}/${scope}`;
  return {
    ...sent,
    authorization: `${ALGORITHM} Credential=${credential}, SignedHeaders=${namesOf(signed)}, Signature=${signature}`,
  };
}

function signatureOf(
  store: Store,
  line: readonly string[],
  headers: Readonly<Record<string, string>>,
  time: string,
  scope: string,
): string {
  const canonical = [
    ...line,
    ...Object.keys(headers)
      .sort()
      .map((name) => `${name}:${headers[name]}`),
    '',
    namesOf(headers),
    headers[PAYLOAD_HASH] ?? 'UNSIGNED-PAYLOAD',
  ].join('\n');
  return hmac(keyOf(store, scope), [ALGORITHM, time, scope, sha256(canonical)].join('\n')).toString('hex');
}

/** The key that signs on one day. Kept for the last scope: a process has one store. */
let last: { of: string; key: Buffer } | undefined;
function keyOf({ secret }: Store, scope: string): Buffer {
  const of = `${secret} ${scope}`;
  if (last?.of !== of) last = { of, key: scope.split('/').reduce<Buffer>(hmac, Buffer.from(`AWS4${secret}`)) };
  return last.key;
}

function scopeOf({ region }: Store, at: number): { time: string; scope: string } {
  const time = new Date(at).toISOString().replace(/[:-]|\.\d{3}/g, '');
  return { time, scope: `${time.slice(0, 8)}/${region}/s3/aws4_request` };
}

const namesOf = (headers: Readonly<Record<string, string>>): string => Object.keys(headers).sort().join(';');
const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const encoded = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
