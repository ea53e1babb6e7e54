// A small HTTP server for the SDK's tests: it records each call, checks v2 with node:crypto, and answers from a script.
import { createHash, createHmac } from 'node:crypto';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface ReceivedCall {
  method: string;
  url: string;
  headers: IncomingHttpHeaders;
  body: string;
  token: { signatureMethod: string; AppID: string; timeStamp: string; nonce: string; signature: string };
  /** Whether the v2 signature is valid; null for v1. */
  verified: boolean | null;
}

export interface ScriptedAnswer {
  status: number;
  body?: unknown;
  headers?: Record<string, string>;
  /** Closes the connection after the call was received, so that the caller does not know its outcome. */
  drop?: boolean;
}

export const app = { appId: '6f1c1f0e-5d0b-4c57-9a55-0c6a6e0d7b21', privateKey: 'pk_3f1f0a5b7c9d4e6f' };
export const problem = (status: number, code: string, more: object = {}): ScriptedAnswer => ({
  status,
  body: {
    type: 'about:blank',
    title: code,
    status,
    code,
    detail: `because ${code}`,
    requestId: 'r-1',
    retryable: false,
    ...more,
  },
  headers: { 'content-type': 'application/problem+json' },
});

/** `answer` gets the call and the number of calls before it. `now` is the server time in the answers. */
export async function startServer(
  answer: (call: ReceivedCall, index: number) => ScriptedAnswer,
  now: () => number = Date.now,
) {
  const calls: ReceivedCall[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const raw = Buffer.concat(chunks);
      const encoded = String(request.headers['access-token'] ?? '');
      const token = JSON.parse(Buffer.from(encoded, 'base64').toString('utf8')) as ReceivedCall['token'];
      const [method, url, received] = [request.method ?? '', request.url ?? '', request.headers];
      const verified = token.signatureMethod === 'HMAC-SHA256' ? verifyV2(method, url, raw, token) : null;
      const call = { method, url, headers: received, body: raw.toString('utf8'), token, verified };
      const scripted = answer(call, calls.push(call) - 1);
      if (scripted.drop === true) return request.socket.destroy();
      const headers = { 'content-type': 'application/json', date: new Date(now()).toUTCString() };
      response.writeHead(scripted.status, { ...headers, ...scripted.headers });
      if (scripted.body === undefined) return response.end();
      response.end(typeof scripted.body === 'string' ? scripted.body : JSON.stringify(scripted.body));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    calls,
    close: () => {
      server.closeAllConnections();
      return new Promise((resolve) => server.close(resolve));
    },
  };
}

const strict = (text: string): string =>
  encodeURIComponent(text).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`);

function verifyV2(method: string, url: string, body: Buffer, token: ReceivedCall['token']): boolean {
  const { pathname, searchParams } = new URL(url, 'http://localhost');
  const path = pathname.split('/').map((part) => strict(decodeURIComponent(part)));
  const order = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));
  const query = [...searchParams]
    .map(([name, value]) => [strict(name), strict(value)] as const)
    .sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]));
  const derived = createHmac('sha256', app.privateKey).update(`MPC2\n${token.AppID}`).digest();
  const toSign = [
    'MPC2-HMAC-SHA256',
    token.AppID,
    token.timeStamp,
    token.nonce,
    method,
    path.join('/'),
    query.map((pair) => pair.join('=')).join('&'),
    createHash('sha256').update(body).digest('hex'),
  ].join('\n');
  return createHmac('sha256', derived).update(toSign).digest('hex') === token.signature;
}
