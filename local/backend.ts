import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { createConnection, type RowDataPacket } from 'mysql2/promise';
import { engineErrno, executeOverHttp } from '../db/execute.ts';
import { migrate } from '../db/migrate.ts';
import { seed } from '../db/seed.ts';
import {
  type PlanetscaleGateway,
  type PlanetscaleGatewayOptions,
  startPlanetscaleGateway,
} from '../gateway/planetscale/gateway.ts';
import { startUpstashGateway, type UpstashGateway } from '../gateway/upstash/gateway.ts';
import type { RedisAddress, ServerAddress } from '../gateway/upstash/redis-connection.ts';
import { startTogether } from '../serve/lifecycle/started.ts';
import { SINCE_SHARDS, sinceKey } from '../shared/admission/replay-record.ts';
import { proveDeployment } from '../shared/deployment.ts';
import { functionEnvironment, takeEnvironment, WECHAT_APPID } from './function-environment.ts';
import type { Keys } from './keys-file.ts';
import { type ObjectStoreSimulator, startObjectStore } from './simulators/object-store.ts';
import { folderObjects } from './simulators/stored-objects.ts';
import { startWechatSimulator, type WechatSimulator } from './simulators/wechat/index.ts';

export interface MysqlLogin {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

export interface BackendOptions {
  redis: RedisAddress;
  /** Its database is created if it is missing. */
  mysql: MysqlLogin;
  /** Its replicas. */
  mysqlReplicas?: Omit<MysqlLogin, 'database'>[];
  keys: Keys;
  /** Account, channel and provider of the sandbox. Default: true. */
  sandbox?: boolean;
  /** Sample data. Default: true. */
  seeded?: boolean;
  /** Folder for uploaded objects. Default: they are in memory. */
  objectsDirectory?: string;
  intercept?: {
    redis?: NonNullable<Parameters<typeof startUpstashGateway>[0]['intercept']>;
    mysql?: NonNullable<PlanetscaleGatewayOptions['intercept']>;
  };
  /** How long a transaction may stay open. Default: 20 s, as at PlanetScale. */
  transactionSeconds?: number;
  /** More variables. They replace those that are set here. */
  env?: Record<string, string>;
  log: (line: string) => void;
}

/** What the functions call: both engines behind their HTTP protocols, with tables, a simulated WeChat and a simulated object store. */
export interface Backend {
  /** The variables that were set in this process's environment. */
  env: Record<string, string>;
  upstash: UpstashGateway;
  planetscale: PlanetscaleGateway;
  wechat: WechatSimulator;
  objectStore: ObjectStoreSimulator;
  sandbox: boolean;
  stop(): Promise<void>;
}

const DATABASE_USER = 'miniapp';
const NO_SUCH_TABLE = 1146;
const REPLAY_GUARD = { runKey: sinceKey('run'), sinceKeys: [...SINCE_SHARDS].map((shard) => sinceKey(shard)) };

export function startBackend(options: BackendOptions): Promise<Backend> {
  const { keys, mysql, log, sandbox = true, intercept = {} } = options;
  return startTogether(async (onStop) => {
    const untouched = await makeDatabase(mysql);
    // Before anybody can call: what is empty now was never used.
    if (untouched && 'host' in options.redis) await openReplayRecords(options.redis);
    const upstash = await startUpstashGateway({
      redis: options.redis,
      // With replicas, the last writes of a Redis master may be lost when it fails.
      ...('sentinels' in options.redis && { guard: REPLAY_GUARD }),
      token: keys.redisToken,
      ...(intercept.redis && { intercept: intercept.redis }),
    });
    onStop(() => upstash.stop());
    const planetscale = await startPlanetscaleGateway({
      primary: mysql,
      username: DATABASE_USER,
      password: keys.databasePassword,
      ...replicaOptions(options),
      ...(intercept.mysql && { intercept: intercept.mysql }),
      ...(options.transactionSeconds !== undefined && { transactionSeconds: options.transactionSeconds }),
    });
    onStop(() => planetscale.stop());
    const program = { appid: WECHAT_APPID, secret: keys.wechatSecret };
    const wechat = await startWechatSimulator({ ...program, unionid: true, devCodes: true, log });
    onStop(() => wechat.stop());
    const { objectStore, store } = await startStore(options.objectsDirectory);
    onStop(() => objectStore.stop());

    const { replicaUrl } = planetscale;
    const addresses = {
      databaseUrl: planetscale.url,
      ...(replicaUrl && { replicaUrl }),
      redisUrl: upstash.url,
      wechatUrl: wechat.url,
      store,
      sandbox,
    };
    const env = { ...functionEnvironment(keys, addresses), ...options.env };
    takeEnvironment(env);

    const execute = executeOverHttp(planetscale.url);
    // A server of the environment may hold another stage. Refuse it before its tables are changed.
    if (!untouched) await proveDeployment(execute, { isServer: true }).catch(ifTablesExist);
    await migrate(execute, log);
    await proveDeployment(execute, { isServer: true });
    if (options.seeded !== false) await seed(execute, { sandbox });
    upstash.resetStats();
    planetscale.resetStats();
    log(`gateways ${upstash.url} (redis), http://${new URL(planetscale.url).host} (mysql)`);
    log(`wechat simulator ${wechat.url}, takes codes such as dev-alice-1 and dev-phone-13580006666-1`);
    log(`object store simulator ${objectStore.url}, bucket ${store.bucket}`);
    return { env, upstash, planetscale, wechat, objectStore, sandbox };
  });
}

/** Its keys are made at each start: nothing that is kept was signed with them. */
async function startStore(directory: string | undefined) {
  const store = { bucket: 'uploads', region: 'auto', keyId: 'sandbox', secret: randomBytes(24).toString('base64url') };
  const objects = directory === undefined ? {} : { objects: folderObjects(join(directory, 'objects')) };
  const objectStore = await startObjectStore({ ...store, ...objects });
  return { objectStore, store: { ...store, url: objectStore.url } };
}

/** A database that is older than this version has no table yet that names its stage. */
function ifTablesExist(error: unknown): void {
  if (engineErrno(error) !== NO_SUCH_TABLE) throw error;
}

function replicaOptions({ mysqlReplicas = [], keys, log }: BackendOptions): Partial<PlanetscaleGatewayOptions> {
  if (mysqlReplicas.length === 0) return {};
  return {
    replicas: mysqlReplicas,
    replicaUsername: `${DATABASE_USER}-replica`,
    replicaPassword: keys.databasePassword,
    replicaMaxLagSeconds: 30,
    onReplicaChange: ({ server, takesReads, reason }) =>
      log(`mysql replica ${server} ${takesReads ? 'takes reads' : `takes no reads: ${reason}`}`),
  };
}

/** Creates the database. true: it has no table yet. */
async function makeDatabase({ database, ...login }: MysqlLogin): Promise<boolean> {
  const connection = await createConnection(login);
  try {
    await connection.query(`CREATE DATABASE IF NOT EXISTS \`${database}\``);
    const [rows] = await connection.query<RowDataPacket[]>(
      'SELECT 1 FROM information_schema.tables WHERE table_schema = ? LIMIT 1',
      [database],
    );
    return rows.length === 0;
  } finally {
    connection.destroy();
  }
}

/**
 * If Redis and MySQL are both empty, no call was made before. So the replay records are complete from the beginning,
 * and tokens that were signed before the start are accepted. Otherwise only the admission script sets since marks.
 */
async function openReplayRecords({ host, port, password = '' }: ServerAddress): Promise<void> {
  const redis = new Redis({ host, port, password, lazyConnect: true });
  try {
    await redis.connect();
    if ((await redis.dbsize()) > 0) return;
    const { ttlSeconds } = sinceKey.family;
    for (const shard of SINCE_SHARDS) await redis.set(sinceKey(shard), '1', 'PX', ttlSeconds * 1000, 'NX');
  } finally {
    redis.disconnect();
  }
}
