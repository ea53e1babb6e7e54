import { parseArgs } from 'node:util';
import { SINCE_SHARDS, sinceKey } from '../shared/admission/replay-record.ts';
import { readPrimary, readRedis, readReplicas } from './engine-urls.ts';
import type { PlanetscaleGatewayOptions } from './planetscale/gateway.ts';
import type { MysqlServer } from './planetscale/link.ts';
import type { RedisAddress } from './upstash/redis-connection.ts';
import type { ReplayGuard } from './upstash/replay-guard.ts';
import { readSentinels } from './upstash/sentinel.ts';

/**
 * The settings of `npm run gateway`. Secrets come from the environment only, because every user of the machine can see
 * the command line of a process.
 */

export interface Settings {
  redis: { redis: RedisAddress; guard: ReplayGuard; token: string; readOnlyToken?: string; host: string; port: number };
  mysql: PlanetscaleGatewayOptions & { primary: MysqlServer };
}

/**
 * Half of the lifetime of a floor (shared/cache/write.ts): a replica that is read is never further behind than a floor
 * lasts.
 */
const MAX_LAG_SECONDS = 30;

/** Holds all problems of the settings, one sentence for each. */
export class SettingsError extends Error {
  constructor(readonly problems: string[]) {
    super(problems.join('\n'));
  }
}

export const help = `Offers Upstash's REST protocol on top of a Redis, and PlanetScale's HTTP API on top of a MySQL or MariaDB.

  npm run gateway -- [--host HOST] [--redis-port N] [--mysql-port N]

  --host HOST       the address to listen on (default 127.0.0.1; use TLS in front of any other address)
  --redis-port N    the port for Upstash's protocol (default 8079; 0 takes a free port)
  --mysql-port N    the port for PlanetScale's API (default 8080; 0 takes a free port)

Environment, required:
  REDIS_URL                 redis://[:password@]host:port, or set REDIS_SENTINELS
  MYSQL_URL                 mysql://user:password@host:port/database
  UPSTASH_REDIS_REST_TOKEN  the token that Redis clients have to send
  DATABASE_USERNAME         the user name that MySQL clients have to send
  DATABASE_PASSWORD         the password that MySQL clients have to send

Environment, optional:
  UPSTASH_REDIS_REST_READONLY_TOKEN    a second token, for clients that only read
  REDIS_SENTINELS           host:port, comma separated, instead of REDIS_URL: the gateway asks them for the Redis master
  REDIS_SENTINEL_NAME       the name of the master in the configuration of the sentinels
  REDIS_USERNAME, REDIS_PASSWORD                       the login at the Redis servers
  REDIS_SENTINEL_USERNAME, REDIS_SENTINEL_PASSWORD     the login at the sentinels
  REDIS_TLS=on              use TLS for the connections to Redis and to the sentinels
  REDIS_TLS_CA              the PEM file of a private certificate authority; also switches TLS on
  STAGE                     the stage of the functions that use this gateway (default dev): see docs/self-hosting.md
  MYSQL_REPLICA_URLS        mysql://user:password@host:port, comma separated: read-only replicas of MYSQL_URL
  DATABASE_REPLICA_USERNAME, DATABASE_REPLICA_PASSWORD
                            the login of clients whose statements all go to the replicas

It prints two lines that start with "ready". SIGINT and SIGTERM end it after the running requests.`;

/** Returns `'help'` for --help. Throws SettingsError. */
export function readSettings(argv: string[], environment: NodeJS.ProcessEnv): Settings | 'help' {
  const problems: string[] = [];
  const flags = readFlags(argv, problems);
  if (flags.help) return 'help';
  const text = (name: string): string => {
    const value = environment[name];
    if (!value) problems.push(`${name} is not set.`);
    return value ?? '';
  };
  const sentinels = readSentinels(environment, problems);
  const redis = sentinels ?? readRedis(text('REDIS_URL'), environment, problems);
  const primary = readPrimary(text('MYSQL_URL'), problems);
  const replicas = readReplicas(environment.MYSQL_REPLICA_URLS ?? '', primary, problems);
  const { DATABASE_REPLICA_USERNAME: replicaUsername, DATABASE_REPLICA_PASSWORD: replicaPassword } = environment;
  if (!replicaUsername !== !replicaPassword) {
    problems.push('Only one of DATABASE_REPLICA_USERNAME and DATABASE_REPLICA_PASSWORD is set. Set both or none.');
  }
  if (replicaUsername && replicas.length === 0)
    problems.push('DATABASE_REPLICA_USERNAME is set without replicas. Set MYSQL_REPLICA_URLS too.');
  if (replicaUsername && replicaUsername === environment.DATABASE_USERNAME) {
    problems.push('DATABASE_REPLICA_USERNAME must differ from DATABASE_USERNAME.');
  }
  const [token, username, password] = ['UPSTASH_REDIS_REST_TOKEN', 'DATABASE_USERNAME', 'DATABASE_PASSWORD'].map(text);
  problems.push(...unusableLogins(environment));
  if (problems.length > 0 || !redis || !primary) throw new SettingsError(problems);

  // Always guarded: in every deployment a restart or a promotion may lose the newest replay records.
  const guard = { runKey: sinceKey('run'), sinceKeys: [...SINCE_SHARDS].map((shard) => sinceKey(shard)) };
  const readOnlyToken = environment.UPSTASH_REDIS_REST_READONLY_TOKEN;
  return {
    redis: {
      redis,
      guard,
      token: token ?? '',
      ...(readOnlyToken ? { readOnlyToken } : {}),
      host: flags.host,
      port: flags.redisPort,
    },
    mysql: {
      primary,
      replicas,
      ...(replicas.length > 0 ? { replicaMaxLagSeconds: MAX_LAG_SECONDS } : {}),
      username: username ?? '',
      password: password ?? '',
      ...(replicaUsername && replicaPassword ? { replicaUsername, replicaPassword } : {}),
      host: flags.host,
      port: flags.mysqlPort,
    },
  };
}

/** Settings that no client could use, and a token that would give more rights than its name says. */
function unusableLogins(environment: NodeJS.ProcessEnv): string[] {
  const problems: string[] = [];
  const tokens = ['UPSTASH_REDIS_REST_TOKEN', 'UPSTASH_REDIS_REST_READONLY_TOKEN'];
  for (const name of tokens)
    if (!/^[\x21-\x7e]*$/.test(environment[name] ?? ''))
      problems.push(`${name} must be ASCII without spaces and line breaks: a client cannot send it otherwise.`);
  for (const name of ['DATABASE_USERNAME', 'DATABASE_REPLICA_USERNAME'])
    if (environment[name]?.includes(':'))
      problems.push(`${name} must not contain a colon: it ends the user name in the header that a client sends.`);
  const [full, readOnly] = tokens.map((name) => environment[name]);
  if (readOnly && readOnly === full)
    problems.push('UPSTASH_REDIS_REST_READONLY_TOKEN must differ from UPSTASH_REDIS_REST_TOKEN, which may write.');
  return problems;
}

function readFlags(argv: string[], problems: string[]) {
  const port = (name: string, value: string): number => {
    if (/^\d{1,5}$/.test(value) && Number(value) < 65_536) return Number(value);
    problems.push(`--${name} must be a port number, 0 to 65535.`);
    return 0;
  };
  const options = {
    help: { type: 'boolean', short: 'h', default: false },
    host: { type: 'string', default: '127.0.0.1' },
    'redis-port': { type: 'string', default: '8079' },
    'mysql-port': { type: 'string', default: '8080' },
  } as const;
  try {
    const { values } = parseArgs({ args: argv, options });
    if (values.host.trim() === '') problems.push('--host is empty, which means every address. Name one.');
    return {
      help: values.help,
      host: values.host,
      redisPort: port('redis-port', values['redis-port']),
      mysqlPort: port('mysql-port', values['mysql-port']),
    };
  } catch (error) {
    problems.push(`${(error as Error).message.split('. ')[0]}. See --help.`);
    return { help: false, host: '', redisPort: 0, mysqlPort: 0 };
  }
}
