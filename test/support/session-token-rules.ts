// The access_token of public apps, judged as docs/signing.md says. Written from that page alone: the tests of the SDK
// need a second opinion, not the project's own code.
import { createHash, createHmac } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

interface Judged {
  proof: 'named' | 'session';
  appId: string;
  /** '' for a named call. */
  session: string;
  /** '' for a named call. A signature is good once. */
  signature: string;
}

interface SignedCall {
  method: string;
  /** Decoded. */
  path: string;
  query: string;
  headers: IncomingHttpHeaders;
}

const NAMED = /^\{"AppID":"([A-Za-z0-9_-]{1,64})"\}$/;
const SESSION = new RegExp(
  '^\\{"signatureMethod":"SESSION-HMAC-SHA256","AppID":"([A-Za-z0-9_-]{1,64})","session":"([A-Za-z0-9_-]{22}\\.[A-Za-z0-9_-]{22})",' +
    '"timeStamp":"([0-9]{10})","nonce":"([A-Za-z0-9_-]{16,64})","signature":"([0-9a-f]{64})"\\}$',
);

export const sessionKey = (signingKey: string, appId: string, session: string): string =>
  createHmac('sha256', Buffer.from(signingKey, 'hex')).update(`MPC3\n${appId}\n${session}`).digest('base64url');

/** null: refused by the gateway. */
export function judge(call: SignedCall, signingKeys: string[], nowSeconds: number): Judged | null {
  const encoded = String(call.headers['access-token'] ?? '');
  const bytes = Buffer.from(encoded, 'base64');
  if (bytes.toString('base64') !== encoded) return null;
  const text = bytes.toString('utf8');
  const named = NAMED.exec(text);
  if (named) return { proof: 'named', appId: named[1] ?? '', session: '', signature: '' };
  const [, appId = '', session = '', timeStamp = '', nonce = '', signature = ''] = SESSION.exec(text) ?? [];
  if (Math.abs(Number(timeStamp) - nowSeconds) > 300) return null;
  const idempotencyKey = String(call.headers['idempotency-key'] ?? '');
  if (!/^[!-~]{0,128}$/.test(idempotencyKey)) return null;
  const bodyHash = call.headers['x-content-sha256'] ?? createHash('sha256').digest('hex');
  const path = call.path.split('/').map(strict).join('/');
  const identity = ['MPC3-HMAC-SHA256', appId, session, timeStamp, nonce];
  const toSign = [...identity, call.method, path, canonicalQuery(call.query), idempotencyKey, bodyHash].join('\n');
  const isGood = signingKeys.some(
    (key) =>
      createHmac('sha256', sessionKey(key, appId, session))
        .update(toSign)
        .digest('hex') === signature,
  );
  return isGood ? { proof: 'session', appId, session, signature } : null;
}

function canonicalQuery(query: string): string {
  const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  return [...new URLSearchParams(query)]
    .map(([name, value]) => [strict(name), strict(value)] as const)
    .sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]))
    .map((pair) => pair.join('='))
    .join('&');
}

const strict = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);
