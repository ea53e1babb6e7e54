import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type EngineAnswer, type GatewayFault, underFault } from '../faults.ts';
import { BodyTooLarge, isLoopback, listen, prometheus, readBody, refuseUnread, secretMatcher, send } from '../http.ts';
import { noPermission, openDatabase } from './database.ts';
import { type RedisAddress, RedisRefusal, RedisUnreachable } from './redis-connection.ts';
import type { ReplayGuard } from './replay-guard.ts';
import { errorAnswer, readFormat } from './reply.ts';
import { BadRequest, readCall, readPayload, readTarget, readToken } from './request.ts';
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

const MAX_REQUEST_BYTES = 10_485_760;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT'];
const DOCS = 'https://upstash.com/docs/redis';
const UNREACHABLE = 'ERR the database is not reachable';

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
  const instance = randomBytes(6).toString('base64url');

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? 'GET';
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
      if (method === 'GET' && (full || readOnly || isLoopback(request))) {
        if (target.path === '/metrics') return send(request, response, metrics());
        if (target.path === '/ready') return send(request, response, readiness());
      }
      counted.requests++;
      total.requests++;
      if (!METHODS.includes(method)) {
        const answer = errorAnswer(405, 'ERR method not allowed');
        return await refuse({ ...answer, headers: { ...answer.headers, allow: METHODS.join(', ') } });
      }
      if (!full && !readOnly) return await refuse(errorAnswer(401, 'WRONGPASS invalid or missing auth token'));
      const body = await readBody(request, response, MAX_REQUEST_BYTES);
      const payload = readPayload(target, body);
      const call = readCall(method, target, payload);
      const commands = 'commands' in call ? call.commands.length : 'command' in call ? 1 : 0;
      counted.commands += commands;
      total.commands += commands;
      if ('names' in call) {
        if (readOnly) return reply(errorAnswer(400, noPermission(call.kind)));
        return await streamMessages(options.redis, call, request, response, headers);
      }
      const fault = intercept?.({ path: target.path, body: payload });
      const format = readFormat(request, call.kind);
      const answer = await underFault(fault, () => database.run(call, { readOnly, format }));
      if (answer === 'drop') request.socket.destroy();
      else if (answer !== 'hang') reply(withinLimit(answer));
    } catch (error) {
      const callerIsGone = request.errored !== null;
      if (response.headersSent || callerIsGone) response.destroy();
      else reply(answerForFailure(error));
    }
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

const sizeError = (limit: number, actual: number): EngineAnswer =>
  errorAnswer(
    400,
    `ERR max request size exceeded. Limit: ${limit} bytes, Actual: ${actual} bytes. See ${DOCS}/troubleshooting/max_request_size_exceeded for details`,
  );

/** Upstash uses the error text of a large request for a large answer too. */
function withinLimit(answer: EngineAnswer): EngineAnswer {
  const bytes = Buffer.byteLength(answer.body);
  return bytes > MAX_REQUEST_BYTES ? sizeError(MAX_REQUEST_BYTES, bytes) : answer;
}

function answerForFailure(error: unknown): EngineAnswer {
  if (error instanceof BadRequest) return errorAnswer(400, error.message);
  if (error instanceof BodyTooLarge) return sizeError(error.limitBytes, error.actualBytes);
  if (error instanceof RedisUnreachable || error instanceof RedisRefusal) return errorAnswer(503, UNREACHABLE);
  return errorAnswer(500, 'ERR internal error');
}
