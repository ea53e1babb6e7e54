import type { Agent as HttpAgent, IncomingMessage, RequestOptions } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { LookupFunction } from 'node:net';
import { remainingMs } from './telemetry.ts';

/**
 * HTTP requests over node:https with sockets that are kept open. A call takes less than half the CPU of global fetch,
 * and the first call of a process a quarter of its time (docs/performance.md).
 */
export interface OutgoingRequest {
  url: URL;
  method: 'GET' | 'HEAD' | 'POST' | 'PUT' | 'DELETE';
  headers: Record<string, string>;
  body?: string | Buffer;
  timeoutMs: number;
  /**
   * true: the request is sent once more when a kept socket is dead. After a freeze of the Lambda all of them are.
   * false: sockets that were idle are closed first. The request cannot be repeated, since it may have been applied.
   */
  repeatable: boolean;
  maxAnswerBytes?: number;
  /** Only the status is needed: a body that is too long, too slow or cut off is not an error. */
  bodyIgnored?: boolean;
  /** Resolves the host name instead of the system's lookup, so it can refuse addresses. */
  lookup?: LookupFunction;
}

export interface IncomingAnswer {
  status: number;
  statusText: string;
  headers: Record<string, string>;
  body: Buffer;
}

/** There was no complete answer. `sent` is false: the request certainly did not reach the other side. */
export class TransportError extends Error {
  override readonly name = 'TransportError';
  constructor(
    readonly reason: 'timeout' | 'unreachable' | 'interrupted' | 'too-large' | 'address-refused',
    readonly sent: boolean,
  ) {
    super(`transport: ${reason}`);
  }
}

const IDLE_MS = 4_000;
const MAX_ANSWER_BYTES = 16 * 1024 * 1024;

interface Pool {
  agent: Agent | HttpAgent;
  lastUsedAt: number;
}
const pools = new Map<string, Pool>();

/** Plain http is for local engines only. On Node 22 `import 'node:http'` takes 20 ms, so it is loaded when needed. */
const plainHttp = () => process.getBuiltinModule('node:http');

function poolFor(request: OutgoingRequest): Pool {
  const key = `${request.url.host} ${request.repeatable} ${request.lookup !== undefined}`;
  let pool = pools.get(key);
  if (pool && !request.repeatable && Date.now() - pool.lastUsedAt > IDLE_MS) {
    // Free sockets only: a request that still waits for its answer keeps its socket.
    for (const sockets of Object.values(pool.agent.freeSockets)) for (const socket of sockets ?? []) socket.destroy();
  }
  if (!pool) {
    const AgentClass = request.url.protocol === 'https:' ? Agent : plainHttp().Agent;
    pool = { agent: new AgentClass({ keepAlive: true, maxSockets: 64, maxFreeSockets: 16 }), lastUsedAt: 0 };
    pools.set(key, pool);
  }
  pool.lastUsedAt = Date.now();
  return pool;
}

/** Sends one request and reads the complete answer. Throws TransportError only. */
export async function send(request: OutgoingRequest): Promise<IncomingAnswer> {
  const deadlineAt = Date.now() + remainingMs(request.timeoutMs);
  try {
    return await attempt(request, deadlineAt);
  } catch (error) {
    if (!(error instanceof DeadSocket)) throw error;
    if (!request.repeatable) throw new TransportError('interrupted', true);
  }
  try {
    return await attempt(request, deadlineAt);
  } catch (error) {
    if (error instanceof DeadSocket) throw new TransportError('interrupted', true);
    throw error;
  }
}

class DeadSocket extends Error {}

function attempt(request: OutgoingRequest, deadlineAt: number): Promise<IncomingAnswer> {
  return new Promise((resolve, reject) => {
    const options: RequestOptions = {
      method: request.method,
      agent: poolFor(request).agent,
      headers: { ...request.headers, 'content-length': String(Buffer.byteLength(request.body ?? '')) },
      ...(request.lookup && { lookup: request.lookup }),
    };
    const start = request.url.protocol === 'https:' ? httpsRequest : plainHttp().request;
    let connected = false;
    let known: IncomingAnswer | undefined;
    let settled = false;
    // After a long computation (a password hash) Node runs timers before sockets. setImmediate lets an answer that has
    // arrived be read first.
    const timer = setTimeout(
      () => setImmediate(() => settled || fail(new TransportError('timeout', connected))),
      Math.max(1, deadlineAt - Date.now()),
    );
    const fail = (error: Error): void => {
      settled = true;
      clearTimeout(timer);
      outgoing.destroy();
      if (known) resolve(known);
      else reject(error);
    };
    const outgoing = start(request.url, options, (incoming: IncomingMessage) => {
      const chunks: Buffer[] = [];
      let size = 0;
      const head = headOf(incoming);
      if (request.bodyIgnored) known = { ...head, body: Buffer.alloc(0) };
      incoming.on('data', (chunk: Buffer) => {
        size += chunk.length;
        if (size > (request.maxAnswerBytes ?? MAX_ANSWER_BYTES)) fail(new TransportError('too-large', true));
        else chunks.push(chunk);
      });
      incoming.on('error', () => fail(new TransportError('interrupted', true)));
      incoming.on('aborted', () => fail(new TransportError('interrupted', true)));
      incoming.on('end', () => {
        settled = true;
        clearTimeout(timer);
        resolve({ ...head, body: Buffer.concat(chunks) });
      });
    });
    outgoing.on('socket', (socket) => {
      // A request that waited in the queue gets a connected socket, but reusedSocket is false for it.
      if (!socket.connecting) connected = true;
      else socket.once('connect', () => (connected = true));
    });
    outgoing.on('error', (error: NodeJS.ErrnoException) => {
      if (error instanceof TransportError) return fail(error);
      const dropped = error.code === 'ECONNRESET' || error.code === 'EPIPE';
      if (dropped && outgoing.reusedSocket) fail(new DeadSocket());
      else fail(new TransportError(connected ? 'interrupted' : 'unreachable', connected));
    });
    outgoing.end(request.body);
  });
}

const headOf = (incoming: IncomingMessage): Omit<IncomingAnswer, 'body'> => ({
  status: incoming.statusCode ?? 0,
  statusText: incoming.statusMessage ?? '',
  headers: Object.fromEntries(Object.entries(incoming.headers).map(([name, value]) => [name, String(value ?? '')])),
});
