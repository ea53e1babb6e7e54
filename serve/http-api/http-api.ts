/**
 * A small HTTP API Gateway on one machine. It calls the built bundles by the routes, authorizer, limits and schedules
 * of serverless.yml. Events, refusals and their bodies are those of API Gateway. Handlers have this process's
 * environment.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse, STATUS_CODES } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import type { Duplex } from 'node:stream';
import { type FrontAnswer, gatewayAnswer } from './answers.ts';
import { preflightAnswer, withCors } from './cors.ts';
import { withDeadline } from './deadline.ts';
import { gatewayRequest } from './events.ts';
import { startGateway } from './gateway.ts';
import { startLambda } from './lambda.ts';
import { startSchedules } from './schedules.ts';
import { readServerlessFile } from './serverless-file.ts';

export interface HttpApiOptions {
  /** Default: `serverless.yml` in the working directory. */
  serverlessFile?: string;
  /** Default: `dist` beside the serverless file. */
  distDirectory?: string;
  host?: string;
  /** 0, the default, takes a free port. */
  port?: number;
  /** false: no CORS headers. Otherwise the rules of serverless.yml. */
  cors?: boolean;
  /** Applies the stage's throttle. Off by default, because it would refuse load tests. */
  throttle?: boolean;
  /** Runs schedules by the clock. Off by default; `runSchedule` runs one at any time. */
  schedules?: boolean;
  /** Names of functions that run on a thread of their own. */
  workers?: string[];
  /** Loads a bundle again after a new build. */
  reload?: boolean;
  log?: (line: string) => void;
  /** Returns the client's address. Default: the address of the socket, which behind a proxy is the proxy's. */
  sourceIp?: (request: IncomingMessage) => string;
  limits?: HttpLimits;
  /** In PEM. */
  tls?: { cert: string; key: string };
  /** Called after each answer with the status that was sent. */
  onAnswer?: (status: number, milliseconds: number) => void;
}

/** Limits for a server on the internet. Without them only API Gateway's own limits hold, for development and tests. */
interface HttpLimits {
  /** More requests at once are refused with 503 before their body is read. */
  concurrent?: number;
  connections?: number;
  bodyBytes?: number;
  /** Time for a client to send the request line and headers (head), and the whole request. */
  headSeconds?: number;
  requestSeconds?: number;
}

export interface HttpApi {
  url: string;
  port: number;
  /** Returns the function's result. undefined: not run, because the last run has not ended. */
  runSchedule(functionName: string, input?: unknown): Promise<unknown>;
  /** Loads all bundles again. */
  reload(): Promise<void>;
  /** Accepts no more requests. Waits up to 10 seconds for running requests and schedules, then closes. */
  stop(): Promise<void>;
}

const maxBodyBytes = 10 * 1024 * 1024;
/** Limit for the request line and all header values together. */
const maxHeaderBytes = 10_240;
const drainMilliseconds = 10_000;
const noBody = Buffer.alloc(0);

export async function startHttpApi(options: HttpApiOptions = {}): Promise<HttpApi> {
  const { host = '127.0.0.1', log = () => undefined, sourceIp = socketAddress } = options;
  const serverlessFile = resolve(options.serverlessFile ?? 'serverless.yml');
  const file = readServerlessFile(serverlessFile);
  const lambda = startLambda({
    ...file,
    distDirectory: options.distDirectory ?? join(dirname(serverlessFile), 'dist'),
    workers: options.workers ?? [],
    reload: options.reload ?? false,
  });
  const gateway = startGateway(file, lambda, options.throttle ?? false, log);
  const cors = options.cors === false ? undefined : file.cors;

  const { limits = {}, onAnswer = () => undefined } = options;
  const { concurrent = Number.POSITIVE_INFINITY, bodyBytes = maxBodyBytes, headSeconds, requestSeconds } = limits;
  let running = 0;
  const settings = {
    maxHeaderSize: 64 * 1024,
    keepAliveTimeout: 65_000,
    ...options.tls,
    // Node's default is to look for late clients every 30 s.
    ...(headSeconds && { headersTimeout: headSeconds * 1000, connectionsCheckingInterval: 500 }),
    ...(requestSeconds && { requestTimeout: requestSeconds * 1000 }),
  };
  const listener = (request: IncomingMessage, response: ServerResponse): void => void serve(request, response);
  const server = options.tls ? createTlsServer(settings, listener) : createServer(settings, listener);
  if (limits.connections) server.maxConnections = limits.connections;
  server.on('clientError', refuseUnreadable);
  let stopping = false;

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const startedAt = performance.now();
    response.once('close', () => onAnswer(response.statusCode, performance.now() - startedAt));
    if (running >= concurrent) {
      response.setHeader('retry-after', '1');
      return send(response, gatewayAnswer(503));
    }
    running++;
    try {
      await answerInTurn(request, response);
    } finally {
      running--;
    }
  }

  async function answerInTurn(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const answer = await answerOf(request).catch((error: unknown) => {
      // A client that closed the connection is no fault of the server, so it is not logged.
      if (!request.destroyed || request.complete) log(`request failed: ${String(error)}`);
      return gatewayAnswer(500);
    });
    if (stopping) response.setHeader('connection', 'close');
    try {
      send(response, cors && request.method !== 'OPTIONS' ? withCors(cors, request, answer) : answer);
    } catch (error) {
      // A function returned a header that is invalid in HTTP.
      log(`answer refused: ${String(error)}`);
      for (const name of response.getHeaderNames()) response.removeHeader(name);
      send(response, gatewayAnswer(500));
    }
  }

  async function answerOf(request: IncomingMessage): Promise<FrontAnswer> {
    if (cors && request.method === 'OPTIONS') return preflightAnswer(cors, request);
    if (headerBytes(request) > maxHeaderBytes) return gatewayAnswer(431);
    const received = gatewayRequest(request, sourceIp(request));
    if (!received) return gatewayAnswer(400);
    const body = await bodyOf(request, bodyBytes);
    const answer = body ? await gateway(received, body) : gatewayAnswer(413);
    answer.headers['apigw-requestid'] = received.requestId;
    return answer;
  }

  async function load(): Promise<void> {
    for (const { functionName, error } of await lambda.load()) log(`${functionName} does not load: ${String(error)}`);
  }

  await load();
  const schedules = startSchedules(file.schedules, lambda, options.schedules ?? false, log);
  const port = await listen(server, host, options.port ?? 0);
  return {
    url: `http${options.tls ? 's' : ''}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    runSchedule: schedules.run,
    async reload() {
      lambda.forget();
      await load();
    },
    async stop() {
      stopping = true;
      const closed = new Promise<void>((done) => server.close(() => done()));
      server.closeIdleConnections();
      const late = () => new Error('some requests or schedules did not end in time');
      await withDeadline(Promise.all([closed, schedules.stop()]), drainMilliseconds, late).catch((error: unknown) =>
        log(`stop: ${String(error)}`),
      );
      server.closeAllConnections();
      await lambda.stop();
    },
  };
}

function send(response: ServerResponse, { status, headers, cookies, body }: FrontAnswer): void {
  if (response.destroyed) return;
  if (cookies.length > 0) response.setHeader('set-cookie', cookies);
  if (status !== 204 && status !== 304) response.setHeader('content-length', Buffer.byteLength(body));
  response.writeHead(status, headers);
  response.end(body);
}

/** undefined: the body is too large. It is read to its end: a client that still sends may not read the 413. */
async function bodyOf(request: IncomingMessage, limitBytes: number): Promise<Buffer | undefined> {
  const { headers } = request;
  if (headers['content-length'] === undefined && headers['transfer-encoding'] === undefined) return noBody;
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes <= limitBytes) chunks.push(chunk);
    else chunks.length = 0;
    if (bytes > 8 * limitBytes) throw new Error('the client sends without end');
  }
  return bytes <= limitBytes ? Buffer.concat(chunks) : undefined;
}

function headerBytes({ method = '', url = '', rawHeaders }: IncomingMessage): number {
  let bytes = method.length + url.length;
  for (let index = 1; index < rawHeaders.length; index += 2) bytes += rawHeaders[index]?.length ?? 0;
  return bytes;
}

function socketAddress({ socket }: IncomingMessage): string {
  return (socket.remoteAddress ?? '').replace(/^::ffff:(?=\d+\.)/, '');
}

/** Node makes no request from input that it cannot parse, so the answer is written to the socket. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) return void socket.destroy();
  const { status, body } = gatewayAnswer(error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400);
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'content-type: application/json', 'connection: close'];
  socket.end(`${lines.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
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
