import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { bodySha256, signV1, signV2 } from '../../client/sign.ts';
import type { TestApp } from './stack.ts';

/** An HTTP request that is sent unchanged: any method with any bytes, which fetch would not send. */
export interface HttpCall {
  method: string;
  /** Path and query. */
  target: string;
  headers: Record<string, string>;
  body?: Uint8Array | undefined;
}

export interface HttpAnswer {
  status: number;
  headers: Record<string, string>;
  text: string;
  /** Parsed if it is JSON. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  body: any;
}

export function sendCall(url: string, { method, target, headers, body }: HttpCall): Promise<HttpAnswer> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const length = body ? { 'content-length': String(body.length) } : {};
    const sent = request({ hostname, port, method, path: target, headers: { ...length, ...headers } }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('end', () => {
        const text = Buffer.concat(chunks).toString('utf8');
        const known = Object.entries(answer.headers).map(([name, value]) => [name, String(value)]);
        const json = text !== '' && /json/.test(answer.headers['content-type'] ?? '');
        const parsed: unknown = json ? JSON.parse(text) : undefined;
        resolve({ status: answer.statusCode ?? 0, headers: Object.fromEntries(known), text, body: parsed });
      });
    });
    sent.on('error', reject);
    sent.end(body);
  });
}

/** The request that is signed. The request that is sent may differ. */
interface Signing {
  method: string;
  path: string;
  query?: string | undefined;
  body?: Uint8Array | string | undefined;
  /** Default: v2. */
  signature?: 'v1' | 'v2';
  timeStamp?: number;
}

/** The access-token header, and the hash of the body if there is one. */
export function signedHeaders(app: TestApp, signing: Signing): Record<string, string> {
  const { method, path, query = '', body = '', signature = 'v2', timeStamp } = signing;
  const identity = {
    ...app,
    timeStamp: timeStamp ?? Math.floor(Date.now() / 1000),
    nonce: `n${randomBytes(16).toString('hex')}n`,
  };
  const token =
    signature === 'v1'
      ? signV1({ ...identity, method: 'SHA1' })
      : signV2({ ...identity, httpMethod: method, path, query, body });
  return {
    'access-token': token,
    ...(body.length > 0 && { 'content-type': 'application/json', 'x-content-sha256': bodySha256(body) }),
  };
}

export const bytesOf = (json: unknown): Uint8Array => Buffer.from(JSON.stringify(json));
