import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { type SourceIp, sourceIpBehind } from './source-ip.ts';

/** The settings of `npm run serve`. Secrets come only from the environment: command lines are visible to others. */
export interface ServeSettings {
  host: string;
  port: number;
  /** The port of /ready and /metrics, on loopback. */
  adminPort: number;
  schedules: boolean;
  sourceIp: SourceIp;
  tls?: { cert: string; key: string };
  limits: { concurrent: number; connections: number; bodyBytes: number; headSeconds: number; requestSeconds: number };
  /** How long /ready answers 503 before connections are closed. A load balancer reads it in this time. */
  drainSeconds: number;
}

export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

export const help = `npm run serve -- [options]   serves the built functions (npm run build) over HTTP, without AWS

  --host HOST        the address to listen on (default 127.0.0.1)
  --port N           its port (default 8000; 0 takes a free port)
  --admin-port N     GET /ready and GET /metrics on 127.0.0.1 (default 8001; 0 takes a free port)
  --no-schedules     do not run cache-warm and recharge-sweep; one other process must run them
  --help

Environment: the variables of the functions, see .env.example, and

  TRUSTED_PROXIES          proxies whose X-Forwarded-For is used: addresses and CIDR ranges, comma separated
  TLS_CERT_FILE            PEM files: serves HTTPS without a proxy in front
  TLS_KEY_FILE
  MAX_CONCURRENT=256       requests served at once; more requests get 503
  MAX_CONNECTIONS=4096
  MAX_BODY_BYTES=131072    a larger body gets 413
  HEAD_SECONDS=10          time for a client to send the request line and headers,
  REQUEST_SECONDS=30       and to send the whole request
  DRAIN_SECONDS=0          how long /ready answers 503 before the process stops taking requests

It prints "ready <url>" when it serves. After SIGTERM it answers the accepted requests and ends.
More: docs/self-hosting.md.`;

const NEEDED = ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN', 'DATABASE_URL', 'MASTER_KEY', 'SERVER_KEY'];

/** `'help'`: --help was given. Throws SettingsError that lists every problem on a line of its own. */
export function readServeSettings(argv: string[], environment: NodeJS.ProcessEnv): ServeSettings | 'help' {
  const problems: string[] = [];
  const flags = readFlags(argv, problems);
  if (flags.help) return 'help';
  for (const name of NEEDED) if (!environment[name]) problems.push(`${name} is not set: see .env.example.`);
  const whole = (name: string, fallback: number, least = 1): number => {
    const text = environment[name];
    if (!text) return fallback;
    if (/^\d{1,10}$/.test(text) && Number(text) >= least) return Number(text);
    problems.push(`${name} must be a whole number, ${least} or more.`);
    return fallback;
  };
  const settings = {
    host: flags.host,
    port: flags.port,
    adminPort: flags.adminPort,
    schedules: flags.schedules,
    sourceIp: proxies(environment.TRUSTED_PROXIES, problems),
    ...tls(environment, problems),
    limits: {
      concurrent: whole('MAX_CONCURRENT', 256),
      connections: whole('MAX_CONNECTIONS', 4_096),
      bodyBytes: whole('MAX_BODY_BYTES', 131_072),
      headSeconds: whole('HEAD_SECONDS', 10),
      requestSeconds: whole('REQUEST_SECONDS', 30),
    },
    drainSeconds: whole('DRAIN_SECONDS', 0, 0),
  };
  if (problems.length > 0) throw new SettingsError(problems.join('\n'));
  return settings;
}

function readFlags(argv: string[], problems: string[]) {
  const port = (name: string, value: string): number => {
    if (/^\d{1,5}$/.test(value) && Number(value) < 65_536) return Number(value);
    problems.push(`--${name} must be a port number, 0 to 65535.`);
    return 0;
  };
  try {
    const { values } = parseArgs({
      args: argv,
      options: {
        help: { type: 'boolean', short: 'h', default: false },
        host: { type: 'string', default: '127.0.0.1' },
        port: { type: 'string', default: '8000' },
        'admin-port': { type: 'string', default: '8001' },
        'no-schedules': { type: 'boolean', default: false },
      },
    });
    return {
      help: values.help,
      host: values.host,
      port: port('port', values.port),
      adminPort: port('admin-port', values['admin-port']),
      schedules: !values['no-schedules'],
    };
  } catch (error) {
    problems.push(`${(error as Error).message.split('. ')[0]}. See --help.`);
    return { help: false, host: '', port: 0, adminPort: 0, schedules: false };
  }
}

function proxies(list: string | undefined, problems: string[]): SourceIp {
  const entries = (list ?? '').split(',').map((entry) => entry.trim());
  try {
    return sourceIpBehind(entries.filter((entry) => entry !== ''));
  } catch (error) {
    problems.push(`TRUSTED_PROXIES: ${(error as Error).message} is neither an address nor a CIDR range.`);
    return sourceIpBehind([]);
  }
}

function tls(
  { TLS_CERT_FILE: certFile, TLS_KEY_FILE: keyFile }: NodeJS.ProcessEnv,
  problems: string[],
): { tls?: { cert: string; key: string } } {
  if (!certFile && !keyFile) return {};
  try {
    return { tls: { cert: readFileSync(certFile ?? '', 'utf8'), key: readFileSync(keyFile ?? '', 'utf8') } };
  } catch {
    problems.push('TLS_CERT_FILE and TLS_KEY_FILE must each name a readable PEM file.');
    return {};
  }
}
