/** The HTTP server under the gateway: connections, time limits, answers in order, and an end that loses no call. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { type FrontAnswer, gatewayAnswer } from './answers.ts';
import { type Dropped, trackConnections } from './connections.ts';
import { withDeadline } from './deadline.ts';
import { answerGate, drain } from './drain.ts';
import { type Ending, type Exchange, startExchange } from './exchange.ts';
import { trackPipelines } from './pipelines.ts';
import { hasBody, RequestEnded } from './request-body.ts';
import { isStrict } from './strict.ts';

/** Limits for a server on the internet. Without them only API Gateway's own limits hold, for development and tests. */
export interface ServerLimits {
  connections?: number;
  /** Connections of one address (IPv6: of one /64). Those of trusted proxies are not counted. */
  connectionsPerAddress?: number;
  /** Time for a client to make the TLS handshake, to send the head of a request, and to send the whole request. */
  headSeconds?: number;
  requestSeconds?: number;
  /** When the server stops, a connection that was not used for this long is closed. Default: at once. */
  drainIdleSeconds?: number;
}

/** 'aborted': the client was gone before its answer was sent. */
export type Outcome = number | 'aborted';

interface ServerOptions {
  tls?: { cert: string; key: string };
  limits: ServerLimits;
  isProxy: (address: string) => boolean;
  answerTo: (exchange: Exchange) => Promise<FrontAnswer>;
  /** The last change of an answer before it is sent. */
  finish: (request: IncomingMessage, answer: FrontAnswer) => FrontAnswer;
  onAnswer: (outcome: Outcome, milliseconds: number) => void;
  log: (line: string) => void;
}

interface HttpServer {
  listen(host: string, port: number): Promise<number>;
  /** From now on every answer says that its connection closes. */
  announceEnd(): void;
  /** Accepts no more connections, answers what was accepted, and ends after at most `withinMs`. */
  stop(withinMs: number, others: Promise<void>): Promise<void>;
  connections(): { open: number; dropped: Dropped };
}

const KEEP_ALIVE_MS = 65_000;
const IDLE_WHEN_FEW_MS = 5_000;
/** Requests of one connection that wait for their answers. One packet can hold 1400, which would stop all others. */
const MOST_PIPELINED = 100;

export function httpServer(options: ServerOptions): HttpServer {
  const { limits, onAnswer, log } = options;
  const { headSeconds, requestSeconds = 300 } = limits;
  let ending = false;
  const settings = {
    maxHeaderSize: 64 * 1024,
    keepAliveTimeout: KEEP_ALIVE_MS,
    // Without it Node answers 400 by itself, without a body. `isStrict` checks the header.
    requireHostHeader: false,
    ...options.tls,
    // Node's default is to look for late clients every 30 s.
    ...(headSeconds && { headersTimeout: headSeconds * 1000, connectionsCheckingInterval: 500 }),
    ...(headSeconds && { handshakeTimeout: headSeconds * 1000 }),
    requestTimeout: requestSeconds * 1000,
  };
  const server: Server = options.tls ? createTlsServer(settings) : createServer(settings);
  // Node drops the headers after the first 2000 without an error: a second Host, or those that a proxy added last.
  server.maxHeadersCount = 0;
  const gate = answerGate();
  const pipelines = trackPipelines((status) => onAnswer(status, 0));
  const connections = trackConnections(
    server,
    {
      total: limits.connections ?? Number.POSITIVE_INFINITY,
      perAddress: limits.connectionsPerAddress ?? Number.POSITIVE_INFINITY,
      idleWhenFewMs: IDLE_WHEN_FEW_MS,
      idleMs: KEEP_ALIVE_MS + requestSeconds * 1000,
      unreadMs: requestSeconds * 1000,
    },
    options.isProxy,
  );

  /** Connections whose last answer is decided. What follows on them is not read as requests. */
  const finished = new WeakSet<Socket>();

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { socket } = request;
    if (finished.has(socket)) return;
    const startedAt = performance.now();
    const visit = connections.begin(socket);
    const refusal = refusalOf(request);
    if (refusal) finished.add(socket);
    const endingOf = (): Ending => {
      if (refusal) return 'linger';
      return ending && pipelines.isLast(exchange) ? 'close' : 'open';
    };
    const exchange = startExchange(request, response, visit, endingOf);
    pipelines.begin(exchange);
    response.once('close', () => {
      visit.end();
      pipelines.end(exchange);
      onAnswer(response.writableFinished ? response.statusCode : 'aborted', performance.now() - startedAt);
    });
    const answer = refusal ? gatewayAnswer(refusal) : await answerTo(exchange);
    // The body of a refused request may be in the packet of its head. Then the connection can stay open.
    if (!request.complete && hasBody(request)) await new Promise(setImmediate);
    await gate.passed();
    deliver(exchange, answer);
  }

  /** After a request that two servers may read differently, what follows on its connection is not trusted. */
  function refusalOf(request: IncomingMessage): 400 | 429 | undefined {
    if (!isStrict(request)) return 400;
    return pipelines.waiting(request.socket) < MOST_PIPELINED ? undefined : 429;
  }

  function answerTo(exchange: Exchange): Promise<FrontAnswer> {
    return options.answerTo(exchange).catch((error: unknown) => {
      if (!(error instanceof RequestEnded)) log(`request failed: ${String(error)}`);
      return gatewayAnswer(500);
    });
  }

  function deliver(exchange: Exchange, answer: FrontAnswer): void {
    const { request, response } = exchange;
    try {
      exchange.answer(options.finish(request, answer));
    } catch (error) {
      // A function returned a header that is invalid in HTTP.
      log(`answer refused: ${String(error)}`);
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      exchange.answer(gatewayAnswer(500));
    }
  }

  for (const event of ['request', 'checkContinue', 'checkExpectation']) {
    server.on(event, (request: IncomingMessage, response: ServerResponse) => void serve(request, response));
  }
  server.on('clientError', (error, socket) => pipelines.refuse(error, socket as Socket));
  // CONNECT asks for a proxy.
  server.on('connect', (_, socket: Socket) => {
    socket.on('error', () => socket.destroy());
    pipelines.refuse(new Error('not a proxy'), socket.resume());
  });

  return {
    listen: (host, port) => listen(server, host, port),
    announceEnd() {
      ending = true;
    },
    async stop(withinMs, others) {
      ending = true;
      const drained = drain(server, connections, gate, (limits.drainIdleSeconds ?? 0) * 1000);
      const late = () => new Error('some requests or schedules did not end in time');
      await withDeadline(Promise.all([drained, others]), withinMs, late).catch((error: unknown) =>
        log(`stop: ${String(error)}`),
      );
      server.closeAllConnections();
      server.close();
      connections.stop();
    },
    connections: () => ({ open: connections.open(), dropped: connections.dropped() }),
  };
}

/** Resolves with the port. */
function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((listening, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new Error(`port ${port} is in use: pass --port with a free one`) : error),
    );
    server.listen(port, host, () => listening((server.address() as AddressInfo).port));
  });
}
