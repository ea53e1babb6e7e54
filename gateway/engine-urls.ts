import type { MysqlServer } from './planetscale/link.ts';
import type { RedisAddress } from './upstash/redis-connection.ts';
import { tlsOf } from './upstash/sentinel.ts';

/*
 * The URLs of the engines. Every part of a URL is used, or refused with the name of its variable: a part that was
 * dropped in silence would send data to another database, or over a line that was meant to be encrypted. Problems never
 * repeat a URL, which holds a password.
 */

export function readRedis(url: string, environment: NodeJS.ProcessEnv, problems: string[]): RedisAddress | undefined {
  const server = readUrl('REDIS_URL', url, ['redis:', 'rediss:'], 6379, problems);
  for (const name of ['REDIS_SENTINEL_NAME', 'REDIS_SENTINEL_USERNAME', 'REDIS_SENTINEL_PASSWORD'])
    if (environment[name]) problems.push(`${name} is set without REDIS_SENTINELS. Set both or none.`);
  for (const name of ['REDIS_USERNAME', 'REDIS_PASSWORD'])
    if (environment[name]) problems.push(`${name} is used with REDIS_SENTINELS only. Write it into REDIS_URL.`);
  if (!server) return undefined;
  const { host, port, user, password, database } = server;
  if (!['', '0'].includes(database)) {
    problems.push('REDIS_URL names another database than 0. The gateway uses database 0, as Upstash does.');
  }
  const encrypted = url.startsWith('rediss:');
  if (encrypted && environment.REDIS_TLS === 'off')
    problems.push('REDIS_TLS is off, and REDIS_URL starts with rediss://. Remove one of them.');
  return {
    host,
    port,
    ...(encrypted ? { tls: {} } : {}),
    ...tlsOf(environment, problems),
    ...(user ? { username: user } : {}),
    ...(password ? { password } : {}),
  };
}

export function readPrimary(url: string, problems: string[]): MysqlServer | undefined {
  const primary = readMysqlUrl('MYSQL_URL', url, problems);
  if (primary && !primary.database)
    problems.push('MYSQL_URL has no database name. Write mysql://user:password@host:port/database.');
  return primary;
}

/** A comma separated list. The database of a replica is that of the primary. */
export function readReplicas(urls: string, primary: MysqlServer | undefined, problems: string[]): MysqlServer[] {
  return urls
    .split(',')
    .filter((url) => url.trim() !== '')
    .flatMap((url) => {
      const replica = readMysqlUrl('MYSQL_REPLICA_URLS', url.trim(), problems);
      if (primary && replica?.database && replica.database !== primary.database)
        problems.push('MYSQL_REPLICA_URLS names another database than MYSQL_URL. Replicas are copies of it.');
      return replica ?? [];
    });
}

function readMysqlUrl(name: string, url: string, problems: string[]): MysqlServer | undefined {
  return readUrl(name, url, ['mysql:', 'mariadb:'], 3306, problems);
}

/** undefined: the text is empty or no such URL; the latter is added to `problems`. */
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
    for (const parameter of new Set(url.searchParams.keys())) problems.push(unknownParameter(name, parameter));
    if (url.hash !== '') problems.push(`${name} has a part after #, which means nothing. Write # as %23.`);
    const database = decodeURIComponent(url.pathname.slice(1));
    if (database.includes('/')) problems.push(`${name} has more than one name after the host. Write one database.`);
    return {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      port: Number(url.port || port),
      user: decodeURIComponent(url.username),
      password: decodeURIComponent(url.password),
      database,
    };
  } catch {
    problems.push(`${name} is not a URL that starts with ${protocols[0]}//.`);
    return undefined;
  }
}

/**
 * The name of a parameter may be a piece of a password with an unescaped question mark, so only known ones are
 * repeated.
 */
function unknownParameter(variable: string, parameter: string): string {
  if (/^(ssl|tls)/i.test(parameter) && variable !== 'REDIS_URL')
    return `${variable} asks for TLS, which the gateway does not use to MySQL. Use a private network or a tunnel.`;
  return `${variable} has a parameter after the question mark. The gateway knows none: remove it.`;
}
