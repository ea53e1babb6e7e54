/**
 * A small HTTP API Gateway on one machine. It calls the built bundles by the routes, authorizer, limits and schedules
 * of serverless.yml. Events, refusals and their bodies are those of API Gateway. Handlers have this process's
 * environment.
 */
import type { IncomingMessage } from 'node:http';
import { dirname, join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { plainAddress } from './addresses.ts';
import { answering } from './answering.ts';
import type { Dropped } from './connections.ts';
import { reportOrigins, withCors } from './cors.ts';
import { startGateway } from './gateway.ts';
import { startLambda } from './lambda.ts';
import { startSchedules } from './schedules.ts';
import { httpServer, type Outcome, type ServerLimits } from './server.ts';
import { readServerlessFile } from './serverless-file.ts';
import { countTurns, type Turns } from './turns.ts';

export interface HttpApiOptions {
  /** Default: `serverless.yml` in the working directory. */
  serverlessFile?: string;
  /** Default: `dist` beside the serverless file. */
  distDirectory?: string;
  /** The stage whose parameters in serverless.yml count. Default: that of serverless.yml. */
  stage?: string;
  host?: string;
  /** 0, the default, takes a free port. */
  port?: number;
  /** false: no CORS headers. Otherwise the rules of serverless.yml. */
  cors?: boolean;
  /** Web pages that may call, in place of those of serverless.yml. */
  h5Origins?: string[];
  /** Applies the stage's throttle. Off by default, because it would refuse load tests. */
  throttle?: boolean;
  /** Runs schedules by the clock. Off by default; `runSchedule` runs one at any time. */
  schedules?: boolean;
  /** Names of functions that run on a thread of their own. */
  workers?: string[];
  /** Loads a bundle again after a new build. */
  reload?: boolean;
  /** false: a bundle is loaded at its first call. By default all are loaded at the start, which finds broken ones. */
  preload?: boolean;
  log?: (line: string) => void;
  /** Returns the client's address. Default: the address of the socket, which behind a proxy is the proxy's. */
  sourceIp?: (request: IncomingMessage) => string;
  /** Proxies carry the calls of many clients, so their connections are not counted. */
  isProxy?: (address: string) => boolean;
  limits?: HttpLimits;
  /** In PEM. */
  tls?: { cert: string; key: string };
  /** Called after each answer with the status that was sent. */
  onAnswer?: (outcome: Outcome, milliseconds: number) => void;
}

export interface HttpLimits extends ServerLimits {
  /** More calls at once are refused with 503. A request counts when it has arrived whole. */
  concurrent?: number;
  /** More calls at once of one address (IPv6: of one /64) are refused with 429. */
  concurrentPerAddress?: number;
  bodyBytes?: number;
}

export interface HttpApiCounts {
  connections: { open: number; dropped: Dropped };
  calls: { running: number; refused: { address: number; full: number } };
}

export interface HttpApi {
  url: string;
  port: number;
  /** Returns the function's result. undefined: not run, because the last run has not ended. */
  runSchedule(functionName: string, input?: unknown): Promise<unknown>;
  /** Loads all bundles again. */
  reload(): Promise<void>;
  counts(): HttpApiCounts;
  /** Every answer from now on says that its connection closes. Requests are still accepted. */
  announceEnd(): void;
  /**
   * Accepts no more requests. Waits up to 10 seconds for running requests and schedules, then closes. Calls whose client
   * has gone have 5 seconds more.
   */
  stop(): Promise<void>;
}

const maxBodyBytes = 10 * 1024 * 1024;
const drainMilliseconds = 10_000;
const callsEndWithinMs = 5_000;
const pollMs = 20;

export async function startHttpApi(options: HttpApiOptions = {}): Promise<HttpApi> {
  const { host = '127.0.0.1', log = () => undefined, limits = {}, h5Origins } = options;
  const serverlessFile = resolve(options.serverlessFile ?? 'serverless.yml');
  const file = readServerlessFile(serverlessFile, options.stage);
  const lambda = startLambda({
    ...file,
    distDirectory: options.distDirectory ?? join(dirname(serverlessFile), 'dist'),
    workers: options.workers ?? [],
    reload: options.reload ?? false,
  });
  const declared = options.cors === false ? undefined : file.cors;
  const cors = declared && h5Origins ? { ...declared, allowedOrigins: h5Origins } : declared;
  const reportOrigin = cors ? reportOrigins(cors, log) : () => undefined;
  const turns = countTurns({
    total: limits.concurrent ?? Number.POSITIVE_INFINITY,
    perAddress: limits.concurrentPerAddress ?? Number.POSITIVE_INFINITY,
  });
  const server = httpServer({
    ...(options.tls && { tls: options.tls }),
    limits,
    isProxy: options.isProxy ?? (() => false),
    answerTo: answering({
      gateway: startGateway(file, lambda, options.throttle ?? false, log),
      turns,
      cors,
      sourceIp: options.sourceIp ?? (({ socket }) => plainAddress(socket.remoteAddress ?? '')),
      bodyBytes: limits.bodyBytes ?? maxBodyBytes,
    }),
    finish(request, answer) {
      reportOrigin(request);
      return cors && request.method !== 'OPTIONS' ? withCors(cors, request, answer) : answer;
    },
    onAnswer: options.onAnswer ?? (() => undefined),
    log,
  });

  async function load(): Promise<void> {
    for (const { functionName, error } of await lambda.load()) log(`${functionName} does not load: ${String(error)}`);
  }

  if (options.preload !== false) await load();
  const schedules = startSchedules(file.schedules, lambda, options.schedules ?? false, log);
  const port = await server.listen(host, options.port ?? 0);
  return {
    url: `http${options.tls ? 's' : ''}://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    runSchedule: schedules.run,
    async reload() {
      lambda.forget();
      await load();
    },
    counts: () => ({
      connections: server.connections(),
      calls: { running: turns.running(), refused: turns.refused() },
    }),
    announceEnd: server.announceEnd,
    async stop() {
      await server.stop(drainMilliseconds, schedules.stop());
      await allCallsEnd(turns);
      await lambda.stop();
    },
  };
}

/**
 * A call whose client has gone has no connection that is awaited. While it is in the authorizer it is not in its
 * function yet, so the function would not be awaited either.
 */
async function allCallsEnd(turns: Turns): Promise<void> {
  const until = performance.now() + callsEndWithinMs;
  while (turns.running() > 0 && performance.now() < until) await sleep(pollMs);
}
