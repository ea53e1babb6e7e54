import { randomBytes } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Redis } from 'ioredis';
import { type Answer, type Fault, underFault } from './faults.ts';
import { BodyTooLarge, isLoopback, listen, prometheus, readBody, secretMatcher, send } from './http.ts';
import { keyLockingScripts } from './lua-keys.ts';
import { type CommandTable, isAvailable, isHarmlessRead, keysOf, readCommandTable } from './redis-commands.ts';
import {
  type Argument,
  connectRedis,
  type RedisAddress,
  RedisRefusal,
  RedisUnreachable,
  sendCommand,
  untilReady,
} from './redis-connection.ts';
import { batchAnswer, errorAnswer, type Outcome, type ReplyFormat, readFormat, singleAnswer } from './rest-reply.ts';
import { BadRequest, presentedToken, type RestCall, readCall, readPayload, readTarget } from './rest-request.ts';
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
const MAX_KEY_BYTES = 32_768;
const FIRST_CONNECT_MS = 5_000;
/** Bridges a blink of the connection, and is shorter than the patience of callers. */
const RECONNECT_MS = 150;
const METHODS = ['GET', 'HEAD', 'POST', 'PUT'];
const DOCS = 'https://upstash.com/docs/redis';
const ABORTED = 'EXECABORT Transaction discarded because of previous errors.';
const UNREACHABLE = 'ERR the database is not reachable';

/**
 * Upstash's REST protocol over a Redis that speaks RESP: the unchanged `@upstash/redis` client works against it.
 * Rejects with RedisUnreachable when no Redis answers; later losses are answered with 503 until it is back.
 * `readOnlyToken` may read, but not list keys. `/metrics` is open to this machine; others present a token.
 */
export async function startUpstashGateway(options: {
  redis: RedisAddress;
  token: string;
  readOnlyToken?: string;
  host?: string;
  port?: number;
  intercept?: (request: { path: string; body: unknown }) => Fault | undefined;
}): Promise<UpstashGateway> {
  const { token, readOnlyToken, intercept } = options;
  const redis = connectRedis(options.redis);
  let table: CommandTable;
  try {
    await untilReady(redis, FIRST_CONNECT_MS);
    table = await loadCommandTable(redis);
  } catch (error) {
    redis.disconnect();
    throw error;
  }
  // Another server, or another version of it, may stand behind the address after a reconnect.
  redis.on('ready', () => {
    loadCommandTable(redis).then(
      (loaded) => (table = loaded),
      () => {},
    );
  });

  const isToken = secretMatcher(token);
  const isReadOnlyToken = readOnlyToken === undefined ? () => false : secretMatcher(readOnlyToken);
  const scripts = keyLockingScripts();
  const counted = { requests: 0, commands: 0 };
  const total = { requests: 0, commands: 0, refused: 0, failed: 0 };
  const instance = randomBytes(6).toString('base64url');

  /** undefined: the command may be sent. */
  function refusal(command: Argument[], readOnly: boolean): string | undefined {
    const name = String(command[0]);
    if (!isAvailable(table, command))
      return `ERR Command is not available: '${name.toUpperCase()}'. See ${DOCS}/overall/rediscompatibility for details`;
    if (readOnly && !isHarmlessRead(table, command))
      return `NOPERM this user has no permissions to run the '${name.toLowerCase()}' command or its subcommand`;
    if (!command.some((argument) => argument.length > MAX_KEY_BYTES / 4)) return undefined;
    const longest = Math.max(0, ...keysOf(table, command).map((key) => Buffer.byteLength(key)));
    if (longest <= MAX_KEY_BYTES) return undefined;
    return `ERR max key size exceeded. Limit: ${MAX_KEY_BYTES} bytes, Actual: ${longest} bytes`;
  }

  /** Writes the command before it returns, so that the order of calls is the order in Redis. */
  function send1(command: Argument[]): Promise<Outcome> {
    const { args, restore, answerSha } = scripts.prepare(command, table);
    return sendCommand(redis, String(args[0]), args.slice(1)).then(
      (reply): Outcome => ({ reply: answerSha === undefined ? reply : Buffer.from(answerSha) }),
      (error: unknown): Outcome => {
        if (!(error instanceof RedisRefusal)) throw error;
        return { error: restore ? error.message.replaceAll(restore.from, restore.to) : error.message };
      },
    );
  }

  async function run(call: RestCall, readOnly: boolean, format: ReplyFormat): Promise<Answer> {
    await untilReady(redis, RECONNECT_MS);
    const outcome = async (command: Argument[]): Promise<Outcome> => {
      const error = refusal(command, readOnly);
      return error === undefined ? send1(command) : { error };
    };
    if (call.kind === 'single') return singleAnswer(await outcome(call.command), format);
    if (call.kind === 'pipeline') return batchAnswer(await Promise.all(call.commands.map(outcome)), format);
    if (call.kind !== 'multi-exec') throw new BadRequest('ERR a stream is no command');
    if (call.commands.some((command) => refusal(command, readOnly) !== undefined)) return errorAnswer(400, ABORTED);
    const prepared = call.commands.map((command) => scripts.prepare(command, table));
    // In one tick on the one connection: nothing of another request can come between MULTI and EXEC.
    const sent = [
      sendCommand(redis, 'MULTI', []),
      ...prepared.map(({ args }) => sendCommand(redis, String(args[0]), args.slice(1))),
    ];
    const executed = sendCommand(redis, 'EXEC', []);
    const [exec] = await Promise.allSettled([executed, ...sent]);
    if (exec.status === 'rejected') {
      if (exec.reason instanceof RedisRefusal) return errorAnswer(400, exec.reason.message);
      throw exec.reason;
    }
    const replies = Array.isArray(exec.value) ? exec.value : [];
    return batchAnswer(
      replies.map((reply, index): Outcome => {
        const { restore, answerSha } = prepared[index] ?? {};
        if (reply instanceof Error)
          return { error: restore ? reply.message.replaceAll(restore.from, restore.to) : reply.message };
        return { reply: answerSha === undefined ? reply : Buffer.from(answerSha) };
      }),
      format,
    );
  }

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const method = request.method ?? 'GET';
    const headers = { 'upstash-sync-token': `${instance}:${total.requests}` };
    const reply = (answer: Answer) => {
      if (answer.status >= 500) total.failed++;
      else if (answer.status >= 400) total.refused++;
      send(request, response, { ...answer, headers: { ...headers, ...answer.headers } });
    };
    try {
      const target = readTarget(request.url ?? '/');
      const presented = presentedToken(request, target);
      const full = presented !== undefined && isToken(presented);
      const readOnly = !full && presented !== undefined && isReadOnlyToken(presented);
      if (method === 'GET' && target.path === '/metrics' && (full || readOnly || isLoopback(request)))
        return send(request, response, metrics());
      counted.requests++;
      total.requests++;
      if (!METHODS.includes(method)) {
        const answer = errorAnswer(405, 'ERR method not allowed');
        return reply({ ...answer, headers: { ...answer.headers, allow: METHODS.join(', ') } });
      }
      // Read in any case: a connection with an unread body cannot carry the next request.
      const body = await readBody(request, MAX_REQUEST_BYTES);
      if (!full && !readOnly) return reply(errorAnswer(401, 'WRONGPASS invalid or missing auth token'));
      const payload = readPayload(target, body);
      const call = readCall(method, target, payload);
      const commands = call.kind === 'single' ? 1 : 'commands' in call ? call.commands.length : 0;
      counted.commands += commands;
      total.commands += commands;
      const fault = intercept?.({ path: target.path, body: payload });
      if ('names' in call && fault === undefined) {
        if (readOnly)
          return reply(
            errorAnswer(403, `NOPERM this user has no permissions to run the '${call.kind}' command or its subcommand`),
          );
        return await streamMessages(options.redis, call, request, response, headers);
      }
      const format = readFormat(request, call.kind);
      const answer = await underFault(fault, () => run(call, readOnly, format));
      if (answer === 'drop') request.socket.destroy();
      else if (answer !== 'hang') reply(withinLimit(answer));
    } catch (error) {
      if (response.headersSent) response.destroy();
      else reply(answerForFailure(error));
    }
  }

  const metrics = (): Answer =>
    prometheus({
      gateway_upstash_requests_total: { help: 'HTTP requests.', value: total.requests },
      gateway_upstash_commands_total: { help: 'Redis commands in them.', value: total.commands },
      gateway_upstash_refused_total: { help: 'Requests answered with 4xx.', value: total.refused },
      gateway_upstash_failed_total: { help: 'Requests answered with 5xx.', value: total.failed },
    });

  const host = options.host ?? '127.0.0.1';
  const listening = await listen(serve, { host, port: options.port ?? 0 }).catch((error: unknown) => {
    redis.disconnect();
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
      redis.disconnect();
    },
  };
}

const loadCommandTable = async (redis: Redis): Promise<CommandTable> =>
  readCommandTable(await sendCommand(redis, 'COMMAND', []));

const sizeError = (limit: number, actual: number): Answer =>
  errorAnswer(
    400,
    `ERR max request size exceeded. Limit: ${limit} bytes, Actual: ${actual} bytes. See ${DOCS}/troubleshooting/max_request_size_exceeded for details`,
  );

/** Upstash refuses an answer that is too large with the words for a request that is. */
function withinLimit(answer: Answer): Answer {
  const bytes = Buffer.byteLength(answer.body);
  return bytes > MAX_REQUEST_BYTES ? sizeError(MAX_REQUEST_BYTES, bytes) : answer;
}

function answerForFailure(error: unknown): Answer {
  if (error instanceof BadRequest) return errorAnswer(400, error.message);
  if (error instanceof BodyTooLarge) return sizeError(error.limitBytes, error.actualBytes);
  if (error instanceof RedisUnreachable || error instanceof RedisRefusal) return errorAnswer(503, UNREACHABLE);
  return errorAnswer(500, 'ERR internal error');
}
