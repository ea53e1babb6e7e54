import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import type { SimulatedRequest } from './loopback-server.ts';

/**
 * How a store checks AWS Signature Version 4, in the query or in the headers. It is written from the description in the
 * S3 API reference and shares no code with the signer of this service, so each finds the mistakes of the other.
 */
export interface StoreKeys {
  keyId: string;
  secret: string;
  region: string;
}

/** The code and the text of S3 for a refused request. */
export type Refusal = readonly [status: number, code: string, message: string];

const LATE_MS = 15 * 60_000;
const mismatch: Refusal = [
  403,
  'SignatureDoesNotMatch',
  'The request signature we calculated does not match the signature you provided. Check your key and signing method.',
];
const denied = (message: string): Refusal => [403, 'AccessDenied', message];

interface Presented {
  credential: string;
  signedHeaders: string;
  signature: string;
  /** `20130524T000000Z` */
  date: string;
  /** Seconds; undefined: signed in headers. */
  expires?: number;
}

/** null: the request may proceed. `nowMs`: Unix milliseconds. */
export function refusalOf(request: SimulatedRequest, keys: StoreKeys, nowMs: number): Refusal | null {
  const presented = request.query.has('X-Amz-Signature') ? inQuery(request.query) : inHeaders(request);
  if (!presented) return denied('Access Denied');
  const [keyId, day, region, service, end] = presented.credential.split('/');
  if (keyId !== keys.keyId) return [403, 'InvalidAccessKeyId', 'The AWS Access Key Id you provided does not exist.'];
  if (region !== keys.region || service !== 's3' || end !== 'aws4_request' || !presented.date.startsWith(day ?? '-'))
    return [400, 'AuthorizationQueryParametersError', 'Error parsing the X-Amz-Credential parameter.'];
  const late = timeRefusal(presented, nowMs);
  if (late) return late;
  const unsigned = unsignedHeader(request, presented.signedHeaders.split(';'));
  if (unsigned) return denied('There were headers present in the request which were not signed');
  const expected = Buffer.from(expectedSignature(request, presented, keys));
  const given = Buffer.from(presented.signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return mismatch;
  return bodyRefusal(request);
}

function inQuery(query: URLSearchParams): Presented | null {
  const part = (name: string): string => query.get(`X-Amz-${name}`) ?? '';
  const expires = Number(part('Expires'));
  if (part('Algorithm') !== 'AWS4-HMAC-SHA256' || !(expires >= 1 && expires <= 604_800)) return null;
  return {
    credential: part('Credential'),
    signedHeaders: part('SignedHeaders'),
    signature: part('Signature'),
    date: part('Date'),
    expires,
  };
}

function inHeaders({ headers }: SimulatedRequest): Presented | null {
  const text = headers.authorization ?? '';
  const [, credential, signedHeaders, signature] =
    /^AWS4-HMAC-SHA256 Credential=([^, ]+), ?SignedHeaders=([^, ]+), ?Signature=([0-9a-f]{64})$/.exec(text) ?? [];
  if (!credential || !signedHeaders || !signature) return null;
  return { credential, signedHeaders, signature, date: String(headers['x-amz-date'] ?? '') };
}

function timeRefusal({ date, expires }: Presented, nowMs: number): Refusal | null {
  const [, year, month, day, hour, minute, second] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? [];
  if (!year) return denied('AWS authentication requires a valid Date or x-amz-date header');
  const signedAt = Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
  if (signedAt - nowMs > LATE_MS) return denied('Request is not valid yet');
  if (expires !== undefined) return nowMs > signedAt + expires * 1000 ? denied('Request has expired') : null;
  if (nowMs - signedAt <= LATE_MS) return null;
  return [403, 'RequestTimeTooSkewed', 'The difference between the request time and the current time is too large.'];
}

/** S3 demands that the host and all headers of its own are signed. */
const unsignedHeader = ({ headers }: SimulatedRequest, signed: readonly string[]): string | undefined =>
  ['host', ...Object.keys(headers).filter((name) => name.startsWith('x-amz-'))].find((name) => !signed.includes(name));

function expectedSignature(request: SimulatedRequest, presented: Presented, keys: StoreKeys): string {
  const { method, path, query, headers } = request;
  const pairs = [...query].filter(([name]) => name !== 'X-Amz-Signature');
  const canonicalQuery = pairs.map(([name, value]) => `${percentEncoded(name)}=${percentEncoded(value)}`).sort();
  const names = presented.signedHeaders.split(';');
  const canonicalHeaders = names.map((name) => `${name}:${String(headers[name] ?? '').trim()}\n`);
  const payload = headers['x-amz-content-sha256'] ?? 'UNSIGNED-PAYLOAD';
  const segments = path.split('/').map((segment) => percentEncoded(decodeURIComponent(segment)));
  const canonical = [
    method,
    segments.join('/'),
    canonicalQuery.join('&'),
    canonicalHeaders.join(''),
    presented.signedHeaders,
    payload,
  ].join('\n');
  const digest = createHash('sha256').update(canonical, 'utf8').digest('hex');
  const [, ...scope] = presented.credential.split('/');
  let key: string | Buffer = `AWS4${keys.secret}`;
  for (const part of scope) key = createHmac('sha256', key).update(part, 'utf8').digest();
  const toSign = `AWS4-HMAC-SHA256\n${presented.date}\n${scope.join('/')}\n${digest}`;
  return createHmac('sha256', key).update(toSign, 'utf8').digest('hex');
}

function bodyRefusal({ headers, body }: SimulatedRequest): Refusal | null {
  const declared = headers['x-amz-content-sha256'];
  if (declared === undefined || declared === 'UNSIGNED-PAYLOAD') return null;
  if (declared === createHash('sha256').update(body).digest('hex')) return null;
  const message = "The provided 'x-amz-content-sha256' header does not match what was computed.";
  return [400, 'XAmzContentSHA256Mismatch', message];
}

/** RFC 3986: letters, digits and -_.~ stay. */
const percentEncoded = (text: string): string =>
  [...Buffer.from(text, 'utf8')]
    .map((byte) => {
      const char = String.fromCharCode(byte);
      return /[A-Za-z0-9_.~-]/.test(char) ? char : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`;
    })
    .join('');
