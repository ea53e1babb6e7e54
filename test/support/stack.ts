import { randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { type Connection, createConnection } from 'mysql2/promise';
import { createClient, fetchTransport, signV1, signV2 } from '../../client/miniapp-client.ts';
import { bodySha256 } from '../../client/sign.ts';
import type { PlanetscaleGatewayOptions } from '../../gateway/planetscale/gateway.ts';
import type { startUpstashGateway } from '../../gateway/upstash/gateway.ts';
import { type BackendOptions, startBackend } from '../../local/backend.ts';
import { type HighAvailability, startHighAvailability } from '../../local/engines/high-availability.ts';
import { newKeys } from '../../local/keys-file.ts';
import type { ObjectStoreSimulator } from '../../local/simulators/object-store.ts';
import type { WechatSimulator } from '../../local/simulators/wechat/index.ts';
import { type HttpApi, startHttpApi } from '../../serve/http-api/http-api.ts';
import { startTogether } from '../../serve/lifecycle/started.ts';
import { SINCE_SHARDS, sinceKey } from '../../shared/admission/replay-record.ts';
import { type AppMethod, SESSION_METHOD } from '../../shared/app/access-token.ts';
import { type ClientSpend, type OpenScope, SCOPES, type Scope, sealContext } from '../../shared/app/app.ts';
import { mintAppId, seal } from '../../shared/master-key.ts';
import { bundleFolder } from './bundles.ts';
import { atEndOfFile } from './end-of-file.ts';
import { freshDatabase, freshRedis } from './engines.ts';
import { temporaryFolder } from './temporary-folder.ts';

/** An app, as the portal issues it. */
export interface TestApp {
  appId: string;
  privateKey: string;
}

export interface SignedRequest {
  query?: string;
  /** A JSON value, or a text that is sent unchanged. */
  body?: unknown;
  signature?: 'v1' | 'v2';
  /** Session token. */
  session?: string;
  headers?: Record<string, string>;
  /** Unix seconds. Default: now. */
  timeStamp?: number;
  nonce?: string;
}

export interface TestAnswer {
  status: number;
  headers: Headers;
  /** Parsed JSON; undefined for an empty body. */
  // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
  body: any;
  text: string;
}

type Interceptors = {
  redis?: NonNullable<Parameters<typeof startUpstashGateway>[0]['intercept']> | undefined;
  mysql?: NonNullable<PlanetscaleGatewayOptions['intercept']> | undefined;
};

export interface Counters {
  /** HTTP requests to Redis. */
  redisRequests: number;
  /** Commands that Redis ran in these requests. Commands in a script count one by one, the script itself does not. */
  redisCommands: number;
  /** The same for each command name, for the message of a failed test. */
  byCommand: Record<string, number>;
  mysqlRequests: number;
}

export interface TestStack {
  url: string;
  api: HttpApi;
  wechat: WechatSimulator;
  objectStore: ObjectStoreSimulator;
  /** The environment of the functions. It is set in this process too. */
  env: Record<string, string>;
  /** Only with the option `ha`. */
  highAvailability: HighAvailability | undefined;
  /** Injects faults into a gateway: a function that is called for every request, until it is removed. */
  faults: Interceptors;
  /** Direct connections to the engines, without the gateways. */
  redis: Redis;
  mysql: Connection;
  createApp(options?: {
    scopes?: ReadonlyArray<Scope | OpenScope>;
    /** Of SESSION-HMAC-SHA256 alone: a public app, whose key is ''. */
    methods?: readonly AppMethod[];
    /** Plugins that the app may issue tokens for. Default: all. */
    plugins?: readonly string[];
    validates?: string;
    disabled?: boolean;
    clientSpend?: ClientSpend;
    /** The app whose wallets it works on. */
    actsFor?: string;
  }): Promise<TestApp>;
  /** The SDK with the credentials of an app. */
  client(app: TestApp): ReturnType<typeof createClient>;
  /** Headers of a signed call. To send them twice is a replay. */
  sign(app: TestApp, method: string, path: string, request?: SignedRequest): Record<string, string>;
  /** One signed call, without retries. */
  call(app: TestApp, method: string, path: string, request?: SignedRequest): Promise<TestAnswer>;
  /** Any call, sent unchanged. */
  send(method: string, path: string, headers: Record<string, string>, body?: string): Promise<TestAnswer>;
  /**
   * Redis loses all data while no call is in progress. What is signed in the same second is accepted: otherwise a call
   * would be refused whenever a second ends on its way.
   */
  flush(): Promise<void>;
  counters(): Promise<Counters>;
  resetCounters(): Promise<void>;
  stop(): Promise<void>;
}

/** Commands that are not part of a call: those of the connection, the call of a script, and those of the counting. */
const NOT_COUNTED = /^(eval|evalsha|script|info|config|client|hello|auth|select|ping|command|quit)\b/;

/**
 * Time limits of engines and functions, several times as long as on AWS: a test is about the order of events, and a
 * busy machine must not change it. Tests about a time limit set their own.
 */
const UNHURRIED = { REDIS_TIMEOUT_MS: '20000', MYSQL_TIMEOUT_MS: '20000', UPLOADS_TIMEOUT_MS: '20000' };
function writeUnhurriedFunctions(folder: string): string {
  const file = join(folder, 'serverless.yml');
  const text = readFileSync(join(import.meta.dirname, '../../serverless.yml'), 'utf8');
  const longer = (_: string, name: string, seconds: string): string => name + 5 * Number(seconds);
  writeFileSync(file, text.replace(/^( +timeout: )(\d+)$/gm, longer));
  return file;
}

interface StackOptions {
  /** With sample data. Default: false, because most tests create their own data. */
  seeded?: boolean;
  sandbox?: boolean;
  /** Starts with a database without tables, like the first `npm run dev`. Default: a copy of the run's templates. */
  emptyDatabase?: boolean;
  /** Redis with replicas and sentinels, MySQL with a replica, all for this file only. */
  ha?: { replicaDelaySeconds?: number };
  /** Functions that run on their own threads, as in `npm run dev`. */
  workers?: string[];
  throttle?: boolean;
  /** A transaction whose caller crashed keeps its locks for this long. Default: 20 s. */
  transactionSeconds?: number;
  env?: Record<string, string>;
  /** Receives the log lines of functions and schedules. Default: they are discarded. */
  log?: (line: string) => void;
}

/**
 * The service with engines for this test file only: a database, a Redis, keys, and the built bundles behind the
 * emulator of the HTTP API. It sets this process's environment, so only one may run at a time. It ends with the test
 * file, or by `stop`.
 */
export async function startTestStack(options: StackOptions = {}): Promise<TestStack> {
  const stack = await startTogether(async (onStop) => {
    const faults: Interceptors = {};
    const log = options.log ?? (() => {});
    const template = templateFor(options);
    const engines = await (options.ha ? replicatedEngines(options.ha) : freshEngines(template));
    onStop(() => engines.stop());
    const { host, port, user, password, database } = engines.mysql;
    const { upstash, planetscale, wechat, objectStore, env, stop } = await startBackend({
      redis: engines.redis,
      mysql: { host, port, user, password, database },
      mysqlReplicas: engines.mysqlReplicas,
      keys: newKeys(),
      sandbox: options.sandbox ?? true,
      seeded: template !== 'seeded' && (options.seeded ?? false),
      intercept: {
        redis: (request) => faults.redis?.(request),
        mysql: (request) => faults.mysql?.(request),
      },
      env: { LOG: 'off', ...UNHURRIED, ...options.env },
      ...(options.transactionSeconds !== undefined && { transactionSeconds: options.transactionSeconds }),
      log,
    } satisfies BackendOptions);
    onStop(stop);
    const redis = new Redis(engines.redis);
    redis.on('error', () => {}); // some tests kill Redis on purpose
    onStop(async () => redis.disconnect());
    if (template) await openReplayRecords(redis);
    // Times are UTC on every connection, as for the functions.
    const mysql = await createConnection({ host, port, user, password, database, timezone: 'Z' });
    onStop(async () => mysql.destroy());
    const { workers = [], throttle = false } = options;
    const folder = await temporaryFolder('functions');
    onStop(() => folder.remove());
    const serverlessFile = writeUnhurriedFunctions(folder.path);
    const api = await startHttpApi({
      ...{ serverlessFile, distDirectory: bundleFolder(), workers, throttle, log },
      // A test file uses three of twelve functions. To load the others would take most of its start.
      preload: false,
    });
    onStop(() => api.stop());

    const send: TestStack['send'] = async (method, path, headers, body) => {
      const response = await fetch(api.url + path, { method, headers, ...(body !== undefined && { body }) });
      const text = await response.text();
      const json = text !== '' && /json/.test(response.headers.get('content-type') ?? '');
      return { status: response.status, headers: response.headers, text, body: json ? JSON.parse(text) : undefined };
    };
    return {
      url: api.url,
      api,
      wechat,
      objectStore,
      env,
      highAvailability: engines.highAvailability,
      faults,
      redis,
      mysql,
      send,
      sign: signedHeaders,
      createApp: (app = {}) => insertApp(mysql, app),
      client: (app) => createClient({ ...app, baseUrl: api.url, transport: fetchTransport(fetch) }),
      call: (app, method, path, request = {}) => {
        const target = request.query ? `${path}?${request.query}` : path;
        return send(method, target, signedHeaders(app, method, path, request), textOf(request.body));
      },
      async flush() {
        await redis.flushall();
        await openReplayRecords(redis);
      },
      async counters() {
        const byCommand = await commandCounts(redis);
        return {
          redisRequests: upstash.stats().requests,
          redisCommands: Object.values(byCommand).reduce((sum, calls) => sum + calls, 0),
          byCommand,
          mysqlRequests: planetscale.stats().requests,
        };
      },
      async resetCounters() {
        await redis.config('RESETSTAT');
        upstash.resetStats();
        planetscale.resetStats();
      },
    } satisfies Omit<TestStack, 'stop'>;
  });
  atEndOfFile(() => stack.stop());
  return stack;
}

interface Engines extends Pick<BackendOptions, 'redis' | 'mysql'> {
  mysqlReplicas: NonNullable<BackendOptions['mysqlReplicas']>;
  highAvailability?: HighAvailability;
  stop(): Promise<void>;
}

/** undefined: the backend creates the tables and the sample data itself. */
function templateFor({ seeded = false, sandbox = true, emptyDatabase, ha }: StackOptions) {
  if (emptyDatabase || ha) return undefined;
  return seeded && sandbox ? 'seeded' : 'migrated';
}

/** Marks the replay records as complete, because no call was made yet. The backend does this on an empty database. */
async function openReplayRecords(redis: Redis): Promise<void> {
  for (const shard of SINCE_SHARDS) await redis.set(sinceKey(shard), '1', 'PX', 86_400_000);
}

function freshEngines(template: 'migrated' | 'seeded' | undefined): Promise<Engines> {
  return startTogether(async (onStop) => {
    const server = await freshRedis();
    onStop(() => server.stop());
    const { drop, host, port, user, password, database } = await freshDatabase('stack', template);
    onStop(drop);
    const redis = { host: server.host, port: server.port };
    return { redis, mysql: { host, port, user, password, database }, mysqlReplicas: [] };
  });
}

function replicatedEngines(options: { replicaDelaySeconds?: number }): Promise<Engines> {
  return startTogether(async (onStop) => {
    const folder = await temporaryFolder('ha');
    onStop(() => folder.remove());
    const log = () => {};
    const highAvailability = await startHighAvailability({ ...options, directory: folder.path, kept: false, log });
    onStop(() => highAvailability.stop());
    const { redis, mysql, mysqlReplica } = highAvailability;
    return { redis, mysql: { ...mysql, database: 'stack' }, mysqlReplicas: [mysqlReplica], highAvailability };
  });
}

function signedHeaders(app: TestApp, method: string, path: string, request: SignedRequest = {}) {
  const text = textOf(request.body);
  const version = request.signature ?? 'v2';
  const identity = {
    ...app,
    timeStamp: request.timeStamp ?? Math.floor(Date.now() / 1000),
    nonce: request.nonce ?? `n${randomBytes(16).toString('hex')}n`,
  };
  const call = { httpMethod: method, path, query: request.query ?? '', body: text ?? '' };
  return {
    'access-token': version === 'v1' ? signV1({ ...identity, method: 'SHA1' }) : signV2({ ...identity, ...call }),
    ...(request.session !== undefined && { authorization: `Bearer ${request.session}` }),
    ...(text !== undefined && { 'content-type': 'application/json', 'x-content-sha256': bodySha256(text) }),
    ...request.headers,
  };
}

function textOf(body: unknown): string | undefined {
  return body === undefined || typeof body === 'string' ? body : JSON.stringify(body);
}

/** Writes directly into the tables: tests of the functions must not depend on the portal. */
async function insertApp(mysql: Connection, options: Parameters<TestStack['createApp']>[0] = {}): Promise<TestApp> {
  const { scopes = SCOPES.filter((scope) => scope !== 'plugin:validate'), methods = ['HMAC-SHA256', 'SHA1'] } = options;
  const appId = mintAppId();
  const isPublic = methods.every((method) => method === SESSION_METHOD);
  const privateKey = isPublic ? '' : randomBytes(32).toString('base64url');
  const keyId = randomBytes(6).toString('hex');
  await mysql.execute(
    `INSERT INTO apps (app_id, name, methods, scopes, plugins, validates, disabled_at, client_spend, acts_for)
     VALUES (?, 'test', ?, ?, ?, ?, IF(?, NOW(3), NULL), ?, ?)`,
    [
      appId,
      methods.join(','),
      scopes.join(','),
      options.plugins?.join(',') ?? null,
      options.validates ?? null,
      options.disabled ?? false,
      options.clientSpend ?? 'free',
      options.actsFor ?? null,
    ],
  );
  if (isPublic) return { appId, privateKey };
  const sealed = seal(privateKey, sealContext(appId, keyId));
  await mysql.execute('INSERT INTO app_keys (app_id, key_id, sealed_key) VALUES (?, ?, ?)', [appId, keyId, sealed]);
  return { appId, privateKey };
}

async function commandCounts(redis: Redis): Promise<Record<string, number>> {
  const counts: Record<string, number> = {};
  for (const [, name = '', calls] of (await redis.info('commandstats')).matchAll(/^cmdstat_([^:]+):calls=(\d+)/gm)) {
    if (!NOT_COUNTED.test(name)) counts[name] = Number(calls);
  }
  return counts;
}
