import { Command, Redis, ReplyError } from 'ioredis';
import { type ConnectionOptions, type SentinelAddress, sentinelOptions } from './sentinel.ts';

export interface ServerAddress {
  host: string;
  port: number;
  username?: string;
  password?: string;
  tls?: { ca?: string };
}

/** One server, or the master that sentinels name. */
export type RedisAddress = ServerAddress | SentinelAddress;

/** An integer arrives as a string of digits, which keeps all 64 bits; every text arrives as bytes. */
export type Reply = null | string | Buffer | Error | Reply[];
export type Argument = string | Buffer;

/** Redis did not answer. Whether the command was carried out is unknown when it had been sent. */
export class RedisUnreachable extends Error {
  override name = 'RedisUnreachable';
  constructor(message = 'Redis does not answer') {
    super(message);
  }
}

/** Redis refused the command; the message is Redis' own. */
export class RedisRefusal extends Error {
  override name = 'RedisRefusal';
}

/** The one place where a connection to Redis is made. It comes back by itself when Redis does. */
export function connectRedis(address: RedisAddress): Redis {
  const redis = new Redis({
    // RESP3 would change the shape of maps, doubles and booleans; Upstash's REST answers have RESP2's.
    protocol: 2,
    stringNumbers: true,
    connectTimeout: 2_000,
    // A server that stopped answering is left, so that its callers get an answer and the next connection a chance.
    socketTimeout: 10_000,
    retryStrategy: (attempt) => Math.min(20 * attempt, 500),
    // A command whose answer was lost is reported, never repeated: half a MULTI sent again would be worse than none.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // Also keeps the sequence of a MULTI whole: before "ready" some commands would pass and others would not.
    enableReadyCheck: false,
    disableClientInfo: true,
    ...('sentinels' in address ? sentinelOptions(address) : serverOptions(address)),
  });
  // Failures reach the callers; without a listener ioredis would print them, with addresses, on its own.
  redis.on('error', () => {});
  // The word of a promotion that arrives while ioredis is connecting makes it give up for good.
  redis.on('end', () => {
    if (!closed.has(redis)) setTimeout(() => redis.connect().catch(() => {}), REVIVE_MS);
  });
  return redis;
}

const REVIVE_MS = 50;
const closed = new WeakSet<Redis>();

/** The only way to end a connection; any other end is followed by a new one. */
export function closeRedis(redis: Redis): void {
  closed.add(redis);
  redis.disconnect();
}

function serverOptions({ host, port, username, password, tls }: ServerAddress): ConnectionOptions {
  return {
    host,
    port,
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(tls === undefined ? {} : { tls }),
  };
}

/** Waits up to `deadlineMs` for the connection, which bridges a restart or a failover of Redis. */
export async function untilReady(redis: Redis, deadlineMs: number): Promise<void> {
  if (redis.status === 'ready') return;
  await new Promise<void>((resolve, reject) => {
    let refused = false;
    const done = (finish: () => void) => {
      clearTimeout(timer);
      redis.off('ready', onReady);
      redis.off('end', onEnd);
      redis.off('error', onError);
      finish();
    };
    const onReady = () => done(resolve);
    const onEnd = () => done(() => reject(new RedisUnreachable(refused ? 'Redis refuses the password' : undefined)));
    const onError = (error: unknown) => {
      refused = error instanceof ReplyError;
    };
    redis.on('error', onError);
    const timer = setTimeout(onEnd, deadlineMs);
    redis.on('ready', onReady);
    redis.on('end', onEnd);
  });
}

/** A Redis that loads its data, a replica without a master, a master without replicas: it will serve, but not now. */
const NOT_SERVING = /^(LOADING|MASTERDOWN|NOREPLICAS) /;
/** It was the master and is a replica now: whoever is master must be found anew. */
const DEMOTED = /^-?READONLY /;

/** Sends at once and keeps the order of calls; rejects with RedisRefusal or RedisUnreachable. */
export function sendCommand(redis: Redis, name: string, args: readonly Argument[]): Promise<Reply> {
  // In upper case, since ioredis reshapes the replies of names that it knows in lower case (HGETALL -> object).
  const command = new Command(name.toUpperCase(), args as Argument[], { replyEncoding: null });
  return (redis.sendCommand(command) as Promise<Reply>).catch((error: Error) => {
    if (error instanceof ReplyError && DEMOTED.test(error.message)) {
      redis.disconnect(true);
      throw new RedisUnreachable();
    }
    const isRefusal = error instanceof ReplyError && !NOT_SERVING.test(error.message);
    throw isRefusal ? new RedisRefusal(error.message) : new RedisUnreachable();
  });
}
