/**
 * A thin HTTP API Gateway on one machine: routes, authorizer, limits and schedules of serverless.yml over the built
 * bundles, with the events, refusals and bodies of the real one. Handlers see this process's environment.
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
  /** `serverless.yml` of the working directory unless given. */
  serverlessFile?: string;
  /** `dist` beside the serverless file unless given. */
  distDirectory?: string;
  host?: string;
  /** 0, the default, takes a free one. */
  port?: number;
  /** Unless false, as serverless.yml has it. */
  cors?: boolean;
  /** Applies the stage's throttle; off by default, as one machine's load test is not an attack. */
  throttle?: boolean;
  /** Runs schedules by the clock; off by default, `runSchedule` runs them at will. */
  schedules?: boolean;
  /** Functions that run on a thread of their own. */
  workers?: string[];
  /** Loads a bundle again when it was built anew. */
  reload?: boolean;
  log?: (line: string) => void;
  /** Whose request it is; behind a proxy that is not the socket's address. */
  sourceIp?: (request: IncomingMessage) => string;
  limits?: HttpLimits;
  /** In PEM. */
  tls?: { cert: string; key: string };
  /** After each answer; `status` as it was sent. */
  onAnswer?: (status: number, milliseconds: number) => void;
}

/** Only where the door is open to the world: on a developer's machine nothing is refused that API Gateway would take. */
interface HttpLimits {
  /** More than this at once are refused with 503, before anything is read of them. */
  concurrent?: number;
  connections?: number;
  bodyBytes?: number;
  /** A client has to send its head within this, and all of its request within that. */
  headSeconds?: number;
  requestSeconds?: number;
}

export interface HttpApi {
  url: string;
  port: number;
  /** Answers what the function returned, or undefined when a run of it is still under way. */
  runSchedule(functionName: string, input?: unknown): Promise<unknown>;
  /** Loads all bundles again. */
  reload(): Promise<void>;
  /** Takes no more requests, answers those it has and lets schedules end, for 10 seconds at most. */
  stop(): Promise<void>;
}

const maxBodyBytes = 10 * 1024 * 1024;
/** Of the request line and all header values together. */
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
    // Node looks for late clients twice a minute unless told otherwise.
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
      // A request that broke off has nobody who waits for its answer.
      if (!request.destroyed || request.complete) log(`request failed: ${String(error)}`);
      return gatewayAnswer(500);
    });
    if (stopping) response.setHeader('connection', 'close');
    try {
      send(response, cors && request.method !== 'OPTIONS' ? withCors(cors, request, answer) : answer);
    } catch (error) {
      // A function gave a header that HTTP cannot carry.
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
      const late = () => new Error('something did not end in time');
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

/** The whole body; undefined when it is too large. Reads on to the end, so that the client hears the refusal. */
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

/** What the parser refuses never becomes a request, so it is answered on the bare socket. */
function refuseUnreadable(error: NodeJS.ErrnoException, socket: Duplex): void {
  if (!socket.writable) return void socket.destroy();
  const { status, body } = gatewayAnswer(error.code === 'HPE_HEADER_OVERFLOW' ? 431 : 400);
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status]}`, 'content-type: application/json', 'connection: close'];
  socket.end(`${lines.join('\r\n')}\r\ncontent-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
}

/** Answers the port it listens on. */
function listen(server: Server, host: string, port: number): Promise<number> {
  return new Promise((listening, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? new Error(`port ${port} is in use: pass --port with a free one`) : error),
    );
    server.listen(port, host, () => listening((server.address() as AddressInfo).port));
  });
}
