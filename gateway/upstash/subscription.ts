import type { ServerResponse } from 'node:http';
import { closeRedis, connectRedis, type RedisAddress, untilReady } from './redis-connection.ts';

const CONNECT_MS = 2_000;
/** Proxies close a stream that is silent for too long, usually for 30 s or more. */
const KEEPALIVE_MS = 15_000;

/**
 * Answers with server-sent events: `subscribe,<channel>,<count>`, then `message,<channel>,<text>` or
 * `pmessage,<pattern>,<channel>,<text>`. It opens a Redis connection, because a subscribed connection takes no other
 * commands, and closes it when the client disconnects. Rejects with RedisUnreachable.
 */
export async function streamMessages(
  address: RedisAddress,
  { kind, names }: { kind: 'subscribe' | 'psubscribe'; names: string[] },
  { response, gone, headers }: { response: ServerResponse; gone: AbortSignal; headers: Record<string, string> },
): Promise<void> {
  if (gone.aborted) return;
  const redis = connectRedis(address);
  gone.addEventListener('abort', () => closeRedis(redis));
  // Each line gets its own "data:", because a line break inside a payload would end the event.
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
    // Messages are missed while Redis is down. The stream ends, so that the client notices and subscribes again.
    redis.once('close', () => {
      closeRedis(redis);
      response.end();
    });
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
  redis.once('end', () => clearInterval(keepalive));
  response.req.socket.setTimeout(0);
}
