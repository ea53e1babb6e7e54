import { readFileSync } from 'node:fs';
import type { RedisOptions } from 'ioredis';

/** The sentinels that name the Redis master, and announce a new one (row A8 (failover)). */
export interface SentinelAddress {
  sentinels: { host: string; port: number }[];
  /** The name of the master in the configuration of the sentinels. */
  name: string;
  username?: string;
  password?: string;
  sentinelUsername?: string;
  sentinelPassword?: string;
  /** TLS to servers and sentinels. `ca`: the PEM text of a private certificate authority. */
  tls?: { ca?: string };
}

/** Without `replyMapping`, which would change the type of the client. */
export type ConnectionOptions = Omit<RedisOptions, 'replyMapping'>;

/** When a sentinel has not answered after this time, the next one is asked. */
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
    // Subscribes to the sentinels' announcements. A hanging master closes no connection, and without them its callers
    // would wait for `socketTimeout`.
    failoverDetector: true,
    sentinelCommandTimeout: SENTINEL_ANSWER_MS,
    sentinelRetryStrategy: (attempt) => Math.min(50 * attempt, 500),
    sentinelReconnectStrategy: (attempt) => Math.min(100 * attempt, 1_000),
    // A sentinel may still name the former master. The check asks the server itself.
    enableReadyCheck: true,
    socketTimeout: 5_000,
    // How long a connection to a lost master may take to close before its callers get an error.
    disconnectTimeout: 50,
  };
}

/**
 * undefined: REDIS_SENTINELS is not set. Adds one sentence to `problems` for each mistake, never with a password in it.
 */
export function readSentinels(environment: NodeJS.ProcessEnv, problems: string[]): SentinelAddress | undefined {
  const { REDIS_SENTINELS: list, REDIS_SENTINEL_NAME: name, REDIS_URL: url } = environment;
  if (!list) return undefined;
  if (url)
    problems.push('REDIS_URL and REDIS_SENTINELS are both set. Remove REDIS_URL: the sentinels name the server.');
  if (!name) problems.push('REDIS_SENTINEL_NAME is not set. Set it to the name of the master in sentinel.conf.');
  const sentinels = list.split(',').flatMap((entry) => {
    const [, host, port = '26379'] = /^\s*(\[[^\]]+\]|[^:\s]+)(?::(\d{1,5}))?\s*$/.exec(entry) ?? [];
    if (host !== undefined && Number(port) < 65_536)
      return [{ host: host.replace(/^\[|\]$/g, ''), port: Number(port) }];
    problems.push('REDIS_SENTINELS must be a comma separated list of host:port.');
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

/** REDIS_TLS_CA switches TLS on even without REDIS_TLS. */
export function tlsOf(environment: NodeJS.ProcessEnv, problems: string[]): { tls?: { ca?: string } } {
  const { REDIS_TLS: tls, REDIS_TLS_CA: file } = environment;
  if (tls && tls !== 'on' && tls !== 'off') problems.push('REDIS_TLS must be on or off.');
  if (!file) return tls === 'on' ? { tls: {} } : {};
  try {
    return { tls: { ca: readFileSync(file, 'utf8') } };
  } catch {
    problems.push('REDIS_TLS_CA must be the path of a PEM file; it cannot be read.');
    return {};
  }
}
