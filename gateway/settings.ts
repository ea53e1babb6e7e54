import { parseArgs } from 'node:util';
import { SINCE_SHARDS, sinceKey } from '../shared/admission/replay-record.ts';
import type { PlanetscaleGatewayOptions } from './planetscale/gateway.ts';
import type { MysqlServer } from './planetscale/link.ts';
import type { RedisAddress } from './upstash/redis-connection.ts';
import type { ReplayGuard } from './upstash/replay-guard.ts';
import { readSentinels, tlsOf } from './upstash/sentinel.ts';

/** What `npm run gateway` is told: secrets by the environment alone, since a command line is visible to the whole machine. */

export interface Settings {
  redis: { redis: RedisAddress; guard: ReplayGuard; token: string; readOnlyToken?: string; host: string; port: number };
  mysql: PlanetscaleGatewayOptions & { primary: MysqlServer };
}

/** Half of what a write's floor lives in the cache (shared/cache/write.ts). */
const MAX_LAG_SECONDS = 30;

/** Every problem of a wrong start at once, a sentence each. */
export class SettingsError extends Error {
  constructor(readonly problems: string[]) {
    super(problems.join('\n'));
  }
}

export const help = `Serves Upstash's REST protocol over a Redis and PlanetScale's HTTP API over a MySQL or MariaDB.

  npm run gateway -- [--host HOST] [--redis-port N] [--mysql-port N]

  --host HOST       the address to listen on (default 127.0.0.1; put TLS in front of any other)
  --redis-port N    for Upstash's protocol (default 8079)
  --mysql-port N    for PlanetScale's API (default 8080); 0 takes a free port

Environment, needed:
  REDIS_URL                 redis://[:password@]host:port, or sentinels as below
  MYSQL_URL                 mysql://user:password@host:port/database
  UPSTASH_REDIS_REST_TOKEN  the token that clients of Redis present
  DATABASE_USERNAME         what clients of MySQL present,
  DATABASE_PASSWORD         with this

Environment, optional:
  UPSTASH_REDIS_REST_READONLY_TOKEN    may read, but not write
  REDIS_SENTINELS           host:port, comma separated, instead of REDIS_URL: they name the master, also a new one
  REDIS_SENTINEL_NAME       what they call it
  REDIS_USERNAME, REDIS_PASSWORD                       for the servers behind them
  REDIS_SENTINEL_USERNAME, REDIS_SENTINEL_PASSWORD     for the sentinels themselves
  REDIS_TLS=on, REDIS_TLS_CA                           TLS to Redis and sentinels; the file of a private authority
  STAGE                     whose replay records live there (default dev): see docs/self-hosting.md
  MYSQL_REPLICA_URLS                   mysql://user:password@host:port, comma separated: read-only copies of MYSQL_URL
  DATABASE_REPLICA_USERNAME            credentials whose statements all go to the replicas
  DATABASE_REPLICA_PASSWORD

It prints two lines that start with "ready" and ends cleanly on SIGINT and SIGTERM.`;

/** `'help'` when that is all that was asked for. Throws SettingsError. */
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
  const primary = readUrl('MYSQL_URL', text('MYSQL_URL'), ['mysql:', 'mariadb:'], 3306, problems);
  if (primary && !primary.database)
    problems.push('MYSQL_URL names no database: mysql://user:password@host:port/database.');
  const replicas = (environment.MYSQL_REPLICA_URLS ?? '')
    .split(',')
    .filter((url) => url.trim() !== '')
    .map((url) => readUrl('MYSQL_REPLICA_URLS', url.trim(), ['mysql:', 'mariadb:'], 3306, problems))
    .filter((server) => server !== undefined);
  const { DATABASE_REPLICA_USERNAME: replicaUsername, DATABASE_REPLICA_PASSWORD: replicaPassword } = environment;
  if (!replicaUsername !== !replicaPassword) {
    problems.push('DATABASE_REPLICA_USERNAME and DATABASE_REPLICA_PASSWORD go together: one of them is not set.');
  }
  if (replicaUsername && replicas.length === 0) problems.push('DATABASE_REPLICA_USERNAME needs MYSQL_REPLICA_URLS.');
  if (replicaUsername && replicaUsername === environment.DATABASE_USERNAME) {
    problems.push('DATABASE_REPLICA_USERNAME must differ from DATABASE_USERNAME.');
  }
  const [token, username, password] = ['UPSTASH_REDIS_REST_TOKEN', 'DATABASE_USERNAME', 'DATABASE_PASSWORD'].map(text);
  if (problems.length > 0 || !redis || !primary) throw new SettingsError(problems);

  // In any deployment a restart or a promotion may have lost what was admitted last.
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

function readRedis(url: string, environment: NodeJS.ProcessEnv, problems: string[]): RedisAddress | undefined {
  const server = readUrl('REDIS_URL', url, ['redis:', 'rediss:'], 6379, problems);
  if (!server) return undefined;
  const { host, port, user, password } = server;
  const tls = url.startsWith('rediss:') ? { tls: {} } : {};
  return {
    host,
    port,
    ...tls,
    ...tlsOf(environment, problems),
    ...(user ? { username: user } : {}),
    ...(password ? { password } : {}),
  };
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

/** undefined, with a problem noted, when it cannot be read. The text itself is never repeated: it holds a password. */
function readUrl(
  name: string,
  text: string,
  protocols: string[],
  port: number,
  problems: string[],
): MysqlServer | undefined {
  if (text === '') return undefined;
  try {
    const url = new URL(text);
    if (!protocols.includes(url.protocol) || url.hostname === '') throw new TypeError();
    return {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || port),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database: decodeURIComponent(url.pathname.slice(1)),
    };
  } catch {
    problems.push(`${name} is no URL that starts with ${protocols[0]}//.`);
    return undefined;
  }
}
