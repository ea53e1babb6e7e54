import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface SimulatedRequest {
  method: string;
  path: string;
  query: URLSearchParams;
  headers: IncomingHttpHeaders;
  body: Buffer;
}

export interface SimulatedAnswer {
  status: number;
  /** Text and bytes are sent as they are, other values as JSON. */
  body: unknown;
  headers?: Record<string, string>;
}

/** A fault, until another one is set. Only with `delay`, `lose-ack` and `cut` the request takes effect. */
export type Fault =
  | { kind: 'delay'; ms: number }
  | { kind: 'answer'; status: number; body: unknown; headers?: Record<string, string> }
  | { kind: 'refuse' }
  | { kind: 'hang' }
  | { kind: 'lose-ack' }
  | { kind: 'cut' };

/** A fault for some requests only. */
export type FaultOf = (request: Pick<SimulatedRequest, 'method' | 'path' | 'headers'>) => Fault | null;

interface LoopbackServer {
  url: string;
  misbehave(fault: Fault | FaultOf | null): void;
  stop(): Promise<void>;
}

const MAX_BODY_BYTES = 64 * 1024;

/** Starts a server on 127.0.0.1 (port 0: a free port) with faults for tests. `stop` also ends running calls. */
export async function startLoopbackServer(
  answer: (request: SimulatedRequest) => SimulatedAnswer | Promise<SimulatedAnswer>,
  port = 0,
  maxBodyBytes = MAX_BODY_BYTES,
): Promise<LoopbackServer> {
  let fault: Fault | FaultOf | null = null;
  const stopped = new AbortController();

  async function serve(incoming: IncomingMessage, outgoing: ServerResponse) {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://127.0.0.1');
    const head = { method: incoming.method ?? 'GET', path: pathname, query: searchParams, headers: incoming.headers };
    const current = typeof fault === 'function' ? fault(head) : fault;
    if (current?.kind === 'refuse') return incoming.socket.destroy();
    const body = await readBody(incoming, maxBodyBytes);
    if (current?.kind === 'hang') return;
    if (current?.kind === 'delay') await sleep(current.ms, undefined, { signal: stopped.signal });
    const given = current?.kind === 'answer' ? current : await answer({ ...head, body });
    if (current?.kind === 'lose-ack') return incoming.socket.destroy();
    const isRaw = typeof given.body === 'string' || Buffer.isBuffer(given.body);
    const sent = isRaw ? (given.body as string | Buffer) : JSON.stringify(given.body);
    const headers = { 'content-type': 'application/json', ...given.headers };
    if (current?.kind !== 'cut') return outgoing.writeHead(given.status, headers).end(sent);
    const bytes = Buffer.from(sent);
    outgoing.writeHead(given.status, { ...headers, 'content-length': bytes.length });
    outgoing.write(bytes.subarray(0, bytes.length / 2), () => incoming.socket.destroy());
  }

  const server = createServer((incoming, outgoing) => {
    serve(incoming, outgoing).catch(() => incoming.socket.destroy());
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    misbehave(next) {
      fault = next;
    },
    async stop() {
      if (!server.listening) return;
      stopped.abort();
      server.close();
      server.closeAllConnections();
      await once(server, 'close');
    },
  };
}

/** Whether node was started with this script. `moduleUrl`: import.meta.url of the script. */
export function isStartedAs(moduleUrl: string): boolean {
  return process.argv[1] !== undefined && resolve(process.argv[1]) === fileURLToPath(moduleUrl);
}

/** For a simulator in a process of its own: prints its URL, and ends on SIGINT and SIGTERM. */
export function announce(server: { url: string; stop(): Promise<void> }) {
  console.log(`ready ${server.url}`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.stop());
}

async function readBody(incoming: IncomingMessage, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of incoming as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) throw new RangeError('the body is too large');
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}
