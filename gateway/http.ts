import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { EngineAnswer } from './faults.ts';

/** How long a stop waits for requests that are being served. */
const DRAIN_MS = 5_000;
/** A body this far over its limit is not even read to its end. */
const DISCARD_FACTOR = 4;

interface Listening {
  host: string;
  port: number;
  /** Takes no new request, lets running ones finish, then closes every connection. */
  stop(): Promise<void>;
}

/** `port` 0 takes a free one. */
export async function listen(
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  { host, port }: { host: string; port: number },
): Promise<Listening> {
  let running = 0;
  let idle: (() => void) | undefined;
  const server = createServer((request, response) => {
    running++;
    // A client that goes away is no fault of the gateway, and its error must not end the process.
    response.on('error', () => {});
    serve(request, response)
      .catch(() => response.destroy())
      .finally(() => {
        running--;
        if (running === 0) idle?.();
      });
  });
  // Longer than the 60 s of common load balancers, so that the side that closes an idle connection is theirs.
  server.keepAliveTimeout = 65_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return {
    host,
    port: address.port,
    stop: () => {
      const drained = running === 0 ? Promise.resolve() : new Promise<void>((resolve) => (idle = resolve));
      return closeServer(server, drained);
    },
  };
}

async function closeServer(server: Server, drained: Promise<void>): Promise<void> {
  const closed = new Promise<void>((resolve) => server.close(() => resolve()));
  server.closeIdleConnections();
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([drained, new Promise((resolve) => (timer = setTimeout(resolve, DRAIN_MS)))]);
  clearTimeout(timer);
  // One turn, so that the last answers are handed to the kernel before their sockets go.
  await new Promise((resolve) => setImmediate(resolve));
  server.closeAllConnections();
  await closed;
}

export class BodyTooLarge extends Error {
  override name = 'BodyTooLarge';
  constructor(
    readonly limitBytes: number,
    readonly actualBytes: number,
  ) {
    super('the request body is too large');
  }
}

/** Reads on past the limit before it refuses, since a client that still writes would see a reset, not the answer. */
export async function readBody(request: IncomingMessage, limitBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= limitBytes) chunks.push(chunk);
    else chunks.length = 0;
    if (bytes > limitBytes * DISCARD_FACTOR) break;
  }
  if (bytes > limitBytes) throw new BodyTooLarge(limitBytes, bytes);
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes);
}

export function send(request: IncomingMessage, response: ServerResponse, answer: EngineAnswer): void {
  response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

/** A comparison whose time does not depend on where the texts differ, nor on their lengths. */
export function secretMatcher(secret: string): (presented: string) => boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(secret);
  return (presented) => timingSafeEqual(digest(presented), expected);
}

export function isLoopback(request: IncomingMessage): boolean {
  const address = request.socket.remoteAddress ?? '';
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}

/** Prometheus text exposition, counters only. */
export function prometheus(counters: Record<string, { help: string; value: number }>): EngineAnswer {
  const lines = Object.entries(counters).flatMap(([name, { help, value }]) => [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} counter`,
    `${name} ${value}`,
  ]);
  return {
    status: 200,
    headers: { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' },
    body: `${lines.join('\n')}\n`,
  };
}
