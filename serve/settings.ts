import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import type { ForwardedHeader } from './forwarded.ts';
import { readH5Origins } from './h5-origins.ts';
import type { HttpLimits } from './http-api/http-api.ts';
import { trustedProxies } from './source-ip.ts';

/** The settings of `npm run serve`. Secrets come only from the environment: command lines are visible to others. */
export interface ServeSettings {
  host: string;
  port: number;
  /** The port of /ready and /metrics, on loopback. */
  adminPort: number;
  schedules: boolean;
  stage: string | undefined;
  /** undefined: those of the stage in serverless.yml. */
  h5Origins: string[] | undefined;
  trustedProxies: string[];
  /** undefined: X-Forwarded-For, or Forwarded when that is missing. */
  forwardedHeader: ForwardedHeader | undefined;
  tls?: { cert: string; key: string };
  limits: HttpLimits;
  /** How long /ready answers 503 before connections are closed. A load balancer reads it in this time. */
  drainSeconds: number;
}

export class SettingsError extends Error {
  override readonly name = 'SettingsError';
}

/** All of them, or none: then there are no uploads. */
const STORE = ['UPLOADS_ENDPOINT', 'UPLOADS_BUCKET', 'UPLOADS_REGION', 'UPLOADS_KEY_ID', 'UPLOADS_SECRET'];
const NEEDED = [
  'UPSTASH_REDIS_REST_URL',
  'UPSTASH_REDIS_REST_TOKEN',
  'DATABASE_URL',
  'MASTER_KEY',
  'SERVER_KEY',
  'SIGNING_KEY',
];

/** `'help'`: --help was given. Throws SettingsError that lists every problem on a line of its own. */
export function readServeSettings(argv: string[], environment: NodeJS.ProcessEnv): ServeSettings | 'help' {
  const problems: string[] = [];
  const flags = readFlags(argv, problems);
  if (flags.help) return 'help';
  for (const name of NEEDED) if (!environment[name]) problems.push(`${name} is not set: see .env.example.`);
  const [set] = STORE.filter((name) => environment[name]);
  for (const name of STORE) {
    if (set && !environment[name]) problems.push(`${name} is not set, but ${set} is: see docs/uploads.md.`);
  }
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
    stage: environment.STAGE || undefined,
    h5Origins: h5Origins(flags.h5Origins ?? environment.H5_ORIGINS, problems),
    trustedProxies: proxies(environment.TRUSTED_PROXIES, problems),
    forwardedHeader: forwardedHeader(environment.FORWARDED_HEADER, problems),
    ...tls(environment, problems),
    limits: limits(whole),
    drainSeconds: whole('DRAIN_SECONDS', 0, 0),
  };
  if (settings.limits.headSeconds > settings.limits.requestSeconds) {
    problems.push('HEAD_SECONDS must not be more than REQUEST_SECONDS.');
  }
  if (problems.length > 0) throw new SettingsError(problems.join('\n'));
  return settings;
}

function limits(whole: (name: string, fallback: number, least?: number) => number): Required<HttpLimits> {
  return {
    concurrent: whole('MAX_CONCURRENT', 256),
    concurrentPerAddress: whole('MAX_CONCURRENT_PER_ADDRESS', 64),
    connections: whole('MAX_CONNECTIONS', 4_096),
    connectionsPerAddress: whole('MAX_CONNECTIONS_PER_ADDRESS', 128),
    bodyBytes: whole('MAX_BODY_BYTES', 131_072),
    headSeconds: whole('HEAD_SECONDS', 10),
    requestSeconds: whole('REQUEST_SECONDS', 30),
    drainIdleSeconds: whole('DRAIN_IDLE_SECONDS', 3, 0),
  };
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
        'h5-origins': { type: 'string' },
        'no-schedules': { type: 'boolean', default: false },
      },
    });
    return {
      help: values.help,
      host: values.host,
      port: port('port', values.port),
      adminPort: port('admin-port', values['admin-port']),
      h5Origins: values['h5-origins'],
      schedules: !values['no-schedules'],
    };
  } catch (error) {
    problems.push(`${(error as Error).message.split('. ')[0]}. See --help.`);
    return { help: false, host: '', port: 0, adminPort: 0, h5Origins: undefined, schedules: false };
  }
}

function proxies(list: string | undefined, problems: string[]): string[] {
  const entries = (list ?? '').split(',').map((entry) => entry.trim());
  const named = entries.filter((entry) => entry !== '');
  try {
    trustedProxies(named);
  } catch (error) {
    problems.push(`TRUSTED_PROXIES: ${(error as Error).message} is neither an address nor a CIDR range.`);
  }
  return named;
}

function h5Origins(list: string | undefined, problems: string[]): string[] | undefined {
  if (!list) return undefined;
  try {
    return readH5Origins(list);
  } catch (error) {
    problems.push(`H5 origins: ${(error as Error).message} is no origin such as https://h5.example.com.`);
    return undefined;
  }
}

function forwardedHeader(name: string | undefined, problems: string[]): ForwardedHeader | undefined {
  const wanted = name?.toLowerCase();
  if (!wanted) return undefined;
  if (wanted === 'forwarded' || wanted === 'x-forwarded-for') return wanted;
  problems.push('FORWARDED_HEADER must be x-forwarded-for or forwarded.');
  return undefined;
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
