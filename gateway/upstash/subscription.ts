import type { IncomingMessage, ServerResponse } from 'node:http';
import { closeRedis, connectRedis, type RedisAddress, untilReady } from './redis-connection.ts';

const CONNECT_MS = 2_000;
/** Keeps proxies from taking a quiet stream for a dead one. */
const KEEPALIVE_MS = 15_000;

/**
 * Server-sent events: `subscribe,<channel>,<count>`, then `message,<channel>,<text>` or `pmessage,<pattern>,<channel>,
 * <text>`. A connection to Redis of its own, since a subscribed one can do nothing else; it ends with the client's.
 */
export async function streamMessages(
  address: RedisAddress,
  { kind, names }: { kind: 'subscribe' | 'psubscribe'; names: string[] },
  request: IncomingMessage,
  response: ServerResponse,
  headers: Record<string, string>,
): Promise<void> {
  const redis = connectRedis(address);
  response.once('close', () => closeRedis(redis));
  // A line break inside a payload would otherwise end the event.
  const event = (...parts: string[]) =>
    response.write(
      `${parts
        .join(',')
        .split(/\r\n|\r|\n/)
        .map((line) => `data: ${line}`)
        .join('\n')}\n\n`,
    );
  redis.on('message', (channel, message) => event('message', channel, message));
  redis.on('pmessage', (pattern, channel, message) => event('pmessage', pattern, channel, message));
  try {
    await untilReady(redis, CONNECT_MS);
    // Messages may have been missed once the connection is gone: the client is to see the end and subscribe anew.
    redis.once('close', () => response.end());
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache',
      connection: 'keep-alive',
    });
    let count = 0;
    for (const name of names) {
      await redis[kind](name);
      event(kind, name, String(++count));
    }
  } catch (error) {
    closeRedis(redis);
    throw error;
  }
  const keepalive = setInterval(() => response.write(': keepalive\n\n'), KEEPALIVE_MS);
  response.once('close', () => clearInterval(keepalive));
  request.socket.setTimeout(0);
}
