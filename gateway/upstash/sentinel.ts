import { readFileSync } from 'node:fs';
import type { RedisOptions } from 'ioredis';

/** A Redis found by the name of its master: sentinels say which server that is, and when it has changed (row A8). */
export interface SentinelAddress {
  sentinels: { host: string; port: number }[];
  /** What the sentinels call the master. */
  name: string;
  username?: string;
  password?: string;
  sentinelUsername?: string;
  sentinelPassword?: string;
  /** TLS to servers and sentinels; `ca` in PEM for a private authority. */
  tls?: { ca?: string };
}

/** Without the reply mapping, which is part of the client's type. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

/** A sentinel that does not answer is passed over after this. */
const SENTINEL_ANSWER_MS = 500;

export function sentinelOptions(address: SentinelAddress): ConnectionOptions {
  const { sentinels, name, username, password, sentinelUsername, sentinelPassword, tls } = address;
  return {
    sentinels,
    name,
    role: 'master',
    ...(username === undefined ? {} : { username }),
    ...(password === undefined ? {} : { password }),
    ...(sentinelUsername === undefined ? {} : { sentinelUsername }),
    ...(sentinelPassword === undefined ? {} : { sentinelPassword }),
    ...(tls === undefined ? {} : { tls, sentinelTLS: tls, enableTLSForSentinelMode: true }),
    // A master that hangs closes no connection: without their word its callers would wait for the socket's timeout.
    failoverDetector: true,
    sentinelCommandTimeout: SENTINEL_ANSWER_MS,
    sentinelRetryStrategy: (attempt) => Math.min(50 * attempt, 500),
    sentinelReconnectStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    // A server that was master a moment ago may still be named: its own word decides.
    enableReadyCheck: true,
    socketTimeout: 5_000,
    // How long a connection to a lost master may linger before its callers are told.
    disconnectTimeout: 50,
  };
}

/** undefined when REDIS_SENTINELS is not set. What is wrong goes to `problems`, never with a password in it. */
export function readSentinels(environment: NodeJS.ProcessEnv, problems: string[]): SentinelAddress | undefined {
  const { REDIS_SENTINELS: list, REDIS_SENTINEL_NAME: name, REDIS_URL: url } = environment;
  if (!list) return undefined;
  if (url) problems.push('REDIS_URL and REDIS_SENTINELS exclude each other: the sentinels name the server.');
  if (!name) problems.push('REDIS_SENTINEL_NAME is not set: what the sentinels call the master.');
  const sentinels = list.split(',').flatMap((entry) => {
    const [, host, port = '26379'] = /^\s*(\[[^\]]+\]|[^:\s]+)(?::(\d{1,5}))?\s*$/.exec(entry) ?? [];
    if (host !== undefined && Number(port) < 65_536)
      return [{ host: host.replace(/^\[|\]$/g, ''), port: Number(port) }];
    problems.push('REDIS_SENTINELS is no comma separated list of host:port.');
    return [];
  });
  const given = (key: keyof SentinelAddress, variable: string) =>
    environment[variable] ? { [key]: environment[variable] } : {};
  return {
    sentinels,
    name: name ?? '',
    ...given('username', 'REDIS_USERNAME'),
    ...given('password', 'REDIS_PASSWORD'),
    ...given('sentinelUsername', 'REDIS_SENTINEL_USERNAME'),
    ...given('sentinelPassword', 'REDIS_SENTINEL_PASSWORD'),
    ...tlsOf(environment, problems),
  };
}

/** REDIS_TLS_CA alone switches TLS on, too. */
export function tlsOf(environment: NodeJS.ProcessEnv, problems: string[]): { tls?: { ca?: string } } {
  const { REDIS_TLS: tls, REDIS_TLS_CA: file } = environment;
  if (tls && tls !== 'on' && tls !== 'off') problems.push('REDIS_TLS must be on or off.');
  if (!file) return tls === 'on' ? { tls: {} } : {};
  try {
    return { tls: { ca: readFileSync(file, 'utf8') } };
  } catch {
    problems.push('REDIS_TLS_CA names no file that can be read.');
    return {};
  }
}
