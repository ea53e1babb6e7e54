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

/** An integer is a string of digits, which keeps all 64 bits. A text is a Buffer. */
export type Reply = null | string | Buffer | Error | Reply[];
export type Argument = string | Buffer;

/** Redis did not answer. If the command was sent, it may have been executed. */
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

/** Opens a connection, which reconnects by itself until `closeRedis`. */
export function connectRedis(address: RedisAddress, changes: ConnectionOptions = {}): Redis {
  const redis = new Redis({
    // Upstash's REST answers have the shapes of RESP2. RESP3 has others for maps, doubles and booleans.
    protocol: 2,
    stringNumbers: true,
    connectTimeout: 2_000,
    // Closes the connection to a server that stopped answering, so that its callers get an error and a new one is
    // opened.
    socketTimeout: 10_000,
    retryStrategy: (attempt) => Math.min(20 * attempt, 500),
    // A command whose answer was lost fails. It is never sent again: a part of a MULTI would run outside its
    // transaction.
    autoResendUnfulfilledCommands: false,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    // With the check, some commands of a MULTI could be refused before "ready" and the later ones accepted.
    enableReadyCheck: false,
    disableClientInfo: true,
    ...('sentinels' in address ? sentinelOptions(address) : serverOptions(address)),
    ...changes,
  });
  // Callers get the errors. Without a listener ioredis would also print them, with addresses.
  redis.on('error', () => {});
  // ioredis stops reconnecting when a sentinel announces a new master while it is connecting.
  redis.on('end', () => {
    if (!closed.has(redis)) setTimeout(() => redis.connect().catch(() => {}), REVIVE_MS);
  });
  return redis;
}

const REVIVE_MS = 50;
const closed = new WeakSet<Redis>();

/** Ends a connection. Any other end makes `connectRedis` open it again. */
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

/**
 * Waits up to `deadlineMs` for the connection, which hides a short restart or failover. Rejects with RedisUnreachable.
 */
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

/** Redis will serve later: it loads its data, is a replica without its master, or a master without its replicas. */
const NOT_SERVING = /^(LOADING|MASTERDOWN|NOREPLICAS) /;
/** The server has become a replica. The connection has to find the new master. */
const DEMOTED = /^-?READONLY /;

/** Sends in the order of the calls. Rejects with RedisRefusal or RedisUnreachable. */
export function sendCommand(redis: Redis, name: string, args: readonly Argument[]): Promise<Reply> {
  // ioredis changes the reply of some commands, by their name in lower case (HGETALL becomes an object). Upper case
  // avoids it.
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
