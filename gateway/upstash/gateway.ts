import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { callerGone, NEVER_GONE } from '../caller.ts';
import { type EngineAnswer, type GatewayFault, underFault } from '../faults.ts';
import {
  BodyTooLarge,
  isLoopback,
  listen,
  mayExceed,
  prometheus,
  readBody,
  refuseUnread,
  secretMatcher,
  send,
} from '../http.ts';
import { Turns } from '../turns.ts';
import { CommandCount } from './command-count.ts';
import { noPermission, openDatabase } from './database.ts';
import { type RedisAddress, RedisRefusal, RedisUnreachable } from './redis-connection.ts';
import type { ReplayGuard } from './replay-guard.ts';
import { errorAnswer, MAX_BYTES, readFormat, sizeError } from './reply.ts';
import { BadRequest, readCall, readPayload, readTarget, readToken, takesJson } from './request.ts';
import { streamMessages } from './subscription.ts';

export interface UpstashGateway {
  url: string;
  token: string;
  readOnlyToken?: string;
  /** HTTP requests since the start or the last reset, and the top-level commands in them. */
  stats(): { requests: number; commands: number };
  resetStats(): void;
  stop(): Promise<void>;
}

const METHODS = ['GET', 'HEAD', 'POST', 'PUT'];
const METHOD_NOT_ALLOWED: EngineAnswer = {
  ...errorAnswer(405, 'ERR method not allowed'),
  headers: { 'content-type': 'application/json', allow: METHODS.join(', ') },
};
/** Requests above this size are read and served a few at a time, because each may take several times its size. */
const LARGE_BYTES = 1024 * 1024;
const LARGE_AT_THE_SAME_TIME = 8;
/** A body that takes longer ends with its connection. */
const BODY_MS = 30_000;
const UNREACHABLE = 'ERR the database is not reachable';

/** A request with a valid token. */
interface Admitted {
  request: IncomingMessage;
  response: ServerResponse;
  target: ReturnType<typeof readTarget>;
  readOnly: boolean;
  gone: AbortSignal;
  headers: Record<string, string>;
  reply(answer: EngineAnswer): void;
}

/**
 * Offers Upstash's REST protocol on top of a Redis, for the unchanged `@upstash/redis` client. Rejects with
 * RedisUnreachable when no Redis answers. When Redis is lost later, requests get 503 until it is back. `readOnlyToken`
 * permits reads, but no listing of keys. `/metrics` (counts only) and `/ready` need no token on loopback, so a proxy on
 * the same machine must not forward them. `intercept` is called for every request with commands.
 */
export async function startUpstashGateway(options: {
  redis: RedisAddress;
  /**
   * Set it where Redis may be restarted or replaced by a replica: the functions then notice that the last writes may be
   * lost.
   */
  guard?: ReplayGuard;
  token: string;
  readOnlyToken?: string;
  host?: string;
  port?: number;
  intercept?: (request: { path: string; body: unknown }) => GatewayFault | undefined;
}): Promise<UpstashGateway> {
  const { token, readOnlyToken, intercept } = options;
  if (token === '' || readOnlyToken === '') throw new Error('the token is empty; set one, it is the only protection');
  const database = await openDatabase(options.redis, options.guard);
  const isToken = secretMatcher(token);
  const isReadOnlyToken = readOnlyToken === undefined ? () => false : secretMatcher(readOnlyToken);
  const counted = { requests: 0, commands: 0 };
  const total = { requests: 0, commands: 0, refused: 0, failed: 0 };
  const largeRequests = new Turns(LARGE_AT_THE_SAME_TIME);
  const instance = randomBytes(6).toString('base64url');

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const headers = { 'upstash-sync-token': `${instance}:${total.requests}` };
    const reply = (answer: EngineAnswer) => {
      if (answer.status >= 500) total.failed++;
      else if (answer.status >= 400) total.refused++;
      send(request, response, { ...answer, headers: { ...headers, ...answer.headers } });
    };
    const refuse = (answer: EngineAnswer) => {
      total.refused++;
      return refuseUnread(request, response, { ...answer, headers: { ...headers, ...answer.headers } });
    };
    try {
      const target = readTarget(request.url ?? '/');
      const sentToken = readToken(request, target);
      const full = sentToken !== undefined && isToken(sentToken);
      const readOnly = !full && sentToken !== undefined && isReadOnlyToken(sentToken);
      if (request.method === 'GET' && (full || readOnly || isLoopback(request))) {
        if (target.path === '/metrics') return send(request, response, metrics());
        if (target.path === '/ready') return send(request, response, readiness());
      }
      counted.requests++;
      total.requests++;
      if (!METHODS.includes(request.method ?? '')) return await refuse(METHOD_NOT_ALLOWED);
      if (!full && !readOnly) return await refuse(errorAnswer(401, 'WRONGPASS invalid or missing auth token'));
      const gone = callerGone(response);
      const endTurn = mayExceed(request, LARGE_BYTES) ? await largeRequests.take(gone) : undefined;
      await answerCall({ request, response, target, readOnly, gone, headers, reply }).finally(endTurn);
    } catch (error) {
      const callerIsGone = request.errored !== null || response.closed;
      if (response.headersSent || callerIsGone) response.destroy();
      else reply(answerForFailure(error));
    }
  }

  async function answerCall({ request, response, target, readOnly, gone, headers, reply }: Admitted): Promise<void> {
    const late = setTimeout(() => request.destroy(), BODY_MS);
    const body = await readBody(
      request,
      response,
      MAX_BYTES,
      takesJson(target) ? new CommandCount() : undefined,
    ).finally(() => clearTimeout(late));
    const payload = readPayload(target, body);
    const call = readCall(request.method ?? '', target, payload);
    const commands = 'commands' in call ? call.commands.length : 'command' in call ? 1 : 0;
    counted.commands += commands;
    total.commands += commands;
    if ('names' in call) {
      if (readOnly) return reply(errorAnswer(400, noPermission(call.kind)));
      return await streamMessages(options.redis, call, { response, gone, headers });
    }
    const fault = intercept?.({ path: target.path, body: payload });
    const format = readFormat(request, call.kind);
    // A fault stands for the network in front of the gateway, where a request may arrive after its caller has given up.
    const caller = { readOnly, format, gone: fault === undefined ? gone : NEVER_GONE };
    const answer = await underFault(fault, () => database.run(call, caller));
    if (answer === 'drop') request.socket.destroy();
    else if (answer !== 'hang') reply(answer);
  }

  const readiness = (): EngineAnswer =>
    database.isReady()
      ? { status: 200, headers: { 'content-type': 'application/json' }, body: '{"status":"ready"}' }
      : errorAnswer(503, UNREACHABLE);

  const metrics = (): EngineAnswer =>
    prometheus({
      gateway_upstash_requests_total: { help: 'HTTP requests.', value: total.requests },
      gateway_upstash_commands_total: { help: 'Redis commands in them.', value: total.commands },
      gateway_upstash_refused_total: { help: 'Requests answered with 4xx.', value: total.refused },
      gateway_upstash_failed_total: { help: 'Requests answered with 5xx.', value: total.failed },
    });

  const host = options.host ?? '127.0.0.1';
  const listening = await listen(serve, { host, port: options.port ?? 0 }).catch((error: unknown) => {
    database.close();
    throw error;
  });
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${listening.port}`,
    token,
    ...(readOnlyToken === undefined ? {} : { readOnlyToken }),
    stats: () => ({ ...counted }),
    resetStats: () => void Object.assign(counted, { requests: 0, commands: 0 }),
    stop: async () => {
      await listening.stop();
      database.close();
    },
  };
}

function answerForFailure(error: unknown): EngineAnswer {
  if (error instanceof BadRequest) return errorAnswer(400, error.message);
  if (error instanceof BodyTooLarge) return sizeError(error.actualBytes);
  if (error instanceof RedisUnreachable || error instanceof RedisRefusal) return errorAnswer(503, UNREACHABLE);
  return errorAnswer(500, 'ERR internal error');
}
