import { join } from 'node:path';
import { type Backend, type BackendOptions, type MysqlLogin, startBackend } from './backend.ts';
import { openDataFolder } from './data-folder.ts';
import { startMysql, startRedis } from './engines.ts';
import { type HttpApi, startHttpApi } from './http-api.ts';
import { newKeys } from './keys-file.ts';
import { startTogether } from './started.ts';

export interface StackOptions extends Pick<BackendOptions, 'sandbox' | 'seeded' | 'intercept' | 'env' | 'log'> {
  dataDirectory: string;
  /** true: a data folder whose engines write every answer to disk. false: new keys, and nothing is meant to last. */
  kept: boolean;
  /** Empties the kept folder first. */
  fresh?: boolean;
  /** 0, the default, takes a free one. */
  port?: number;
  /** Of the built bundles; `dist` unless given. */
  distDirectory?: string;
  schedules?: boolean;
  /** Runs once the data folder is this process's own. */
  beforeServing?: () => Promise<void>;
  /** false: no HTTP API, for whoever serves the functions otherwise. */
  served?: boolean;
}

/** The whole service on one machine, over real engines. */
export interface Stack extends Omit<Backend, 'stop'> {
  /** '' when nothing is served. */
  url: string;
  redis: { host: string; port: number };
  mysql: MysqlLogin;
  api: HttpApi | undefined;
  /** Lets other commands find it by its data folder; `url` when somebody else serves. */
  announce(url?: string): Promise<void>;
  /** In an order in which nothing that runs misses what it needs. */
  stop(): Promise<void>;
}

const DATABASE = 'miniapp';
/** A password hash holds its thread for as long as it takes. */
const OWN_THREAD = ['login'];

export function startStack(options: StackOptions): Promise<Stack> {
  const { kept, log } = options;
  return startTogether(async (onStop) => {
    const folder = kept ? await openDataFolder(options.dataDirectory, { fresh: options.fresh ?? false }) : undefined;
    if (folder) onStop(() => folder.close());
    const directory = folder?.directory ?? options.dataDirectory;
    const keys = folder?.keys ?? newKeys();

    await options.beforeServing?.();
    const redis = await startRedis({ directory: join(directory, 'redis'), persist: kept, log });
    onStop(() => redis.stop());
    const server = await startMysql({ directory: join(directory, 'mysql'), durable: kept, log });
    onStop(() => server.stop());
    const { host, port, user, password } = server;
    const mysql = { host, port, user, password, database: DATABASE };

    const { stop: stopBackend, ...backend } = await startBackend({ ...options, redis: addressOf(redis), mysql, keys });
    onStop(stopBackend);
    const api = options.served === false ? undefined : await serve(options);
    if (api) onStop(() => api.stop());

    return {
      ...backend,
      url: api?.url ?? '',
      redis: { host: redis.host, port: redis.port },
      mysql,
      api,
      async announce(url = api?.url ?? '') {
        const { upstash, planetscale, wechat, sandbox } = backend;
        const addresses = { databaseUrl: planetscale.url, redisUrl: upstash.url, wechatUrl: wechat.url };
        await folder?.announce({ url, ...addresses, redisToken: keys.redisToken, sandbox });
      },
    };
  });
}

function serve({ port = 0, schedules = false, distDirectory, log }: StackOptions): Promise<HttpApi> {
  return startHttpApi({ port, schedules, workers: OWN_THREAD, log, ...(distDirectory && { distDirectory }) });
}

function addressOf({ host, port, url }: { host: string; port: number; url: string }): BackendOptions['redis'] {
  const password = decodeURIComponent(new URL(url).password);
  return { host, port, ...(password && { password }) };
}
