import { createHash, timingSafeEqual } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { EngineAnswer } from './faults.ts';

/** How long `stop` waits for running requests. */
const DRAIN_MS = 5_000;
/** Reading stops when a body is this many times larger than its limit. */
const DISCARD_FACTOR = 4;
/** What is still read, and not kept, of a request that was refused because of its credentials. */
const STRANGER_BYTES = 64 * 1024;
/** How long such a connection may stay open. */
const STRANGER_MS = 2_000;

interface Listening {
  host: string;
  port: number;
  /** Accepts no new connection, waits for running requests (5 s at most), then closes every connection. */
  stop(): Promise<void>;
}

/** Starts an HTTP server. `port` 0 takes a free one. Rejects with the error of `server.listen`, such as EADDRINUSE. */
export async function listen(
  serve: (request: IncomingMessage, response: ServerResponse) => Promise<void>,
  { host, port }: { host: string; port: number },
): Promise<Listening> {
  let running = 0;
  let idle: (() => void) | undefined;
  const receive = (request: IncomingMessage, response: ServerResponse): void => {
    running++;
    // A client may disconnect at any time. Without a listener that error would end the process.
    response.on('error', () => {});
    serve(request, response)
      .catch(() => response.destroy())
      .finally(() => {
        running--;
        if (running === 0) idle?.();
      });
  };
  const server = createServer(receive);
  // `readBody` asks for the body. A caller that is refused is not asked.
  server.on('checkContinue', receive);
  // Longer than the 60 s of common load balancers. They must be the ones who close an idle connection: if the server
  // did it, a request that is already on its way would fail.
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
  // One turn of the event loop, so that the last answers reach the kernel before their sockets are closed.
  await new Promise((resolve) => setImmediate(resolve));
  server.closeAllConnections();
  await closed;
}

/** Decides from the content of a body whether it is read to no purpose. */
interface BodyMeter {
  add(chunk: Buffer): void;
  readonly tooMany: boolean;
  readonly refusal: Error;
}

export class BodyTooLarge extends Error {
  override name = 'BodyTooLarge';
  constructor(readonly actualBytes: number) {
    super('the request body is too large');
  }
}

/**
 * The whole body. Throws BodyTooLarge, and the refusal of `meter`, which sees each part as it arrives. It reads on
 * before it throws, because a client that is still sending would see a connection reset instead of the answer; but then
 * it keeps nothing.
 */
export async function readBody(
  request: IncomingMessage,
  response: ServerResponse,
  limitBytes: number,
  meter?: BodyMeter,
): Promise<Buffer> {
  if (request.headers.expect !== undefined) response.writeContinue();
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    meter?.add(chunk);
    if (bytes <= limitBytes && !meter?.tooMany) chunks.push(chunk);
    else chunks.length = 0;
    if (bytes > limitBytes * DISCARD_FACTOR) break;
  }
  if (bytes > limitBytes) throw new BodyTooLarge(bytes);
  if (meter?.tooMany) throw meter.refusal;
  return chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes);
}

export function send(request: IncomingMessage, response: ServerResponse, answer: EngineAnswer): void {
  response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) });
  response.end(request.method === 'HEAD' ? undefined : answer.body);
}

/**
 * Refuses a request before its body is read. A small body is discarded, and the connection stays open. Of a large one
 * only the beginning is read; the connection is closed when the caller has had time to see the answer.
 */
export async function refuseUnread(
  request: IncomingMessage,
  response: ServerResponse,
  answer: EngineAnswer,
): Promise<void> {
  if (!mayExceed(request, STRANGER_BYTES)) return send(request, response, answer);
  const { status, headers, body } = answer;
  response.writeHead(status, { ...headers, 'content-length': Buffer.byteLength(body), connection: 'close' });
  response.write(request.method === 'HEAD' ? '' : body);
  await discard(request);
  response.end();
}

/** Whether the body has, or may have, more than `bytes`. */
export function mayExceed({ headers }: IncomingMessage, bytes: number): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > bytes;
}

/** Reads and forgets the beginning of a body. Resolves when it has ended, or the caller has left, or after 2 s. */
function discard(request: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, STRANGER_MS);
    let bytes = 0;
    request.on('data', (chunk: Buffer) => {
      bytes += chunk.length;
      // A connection that was closed now would lose the answer. The kernel makes the caller wait.
      if (bytes > STRANGER_BYTES) request.pause();
    });
    for (const event of ['end', 'error', 'close']) request.once(event, () => resolve());
    request.once('close', () => clearTimeout(timer));
  });
}

/** Compares in constant time. Hashing both sides also hides the length of the secret. */
export function secretMatcher(secret: string): (candidate: string) => boolean {
  const digest = (text: string) => createHash('sha256').update(text).digest();
  const expected = digest(secret);
  return (candidate) => timingSafeEqual(digest(candidate), expected);
}

export function isLoopback(request: IncomingMessage): boolean {
  const address = request.socket.remoteAddress ?? '';
  return address === '::1' || address.startsWith('127.') || address.startsWith('::ffff:127.');
}

/** Counters in Prometheus' text format. */
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
