import { startTogether } from '../serve/lifecycle/started.ts';
import { type Backend, type BackendOptions, type MysqlLogin, startBackend } from './backend.ts';
import { openDataFolder } from './data-folder.ts';
import { type StackEngines, startStackEngines } from './engines/stack-engines.ts';
import { newKeys } from './keys-file.ts';
import { type RestartableApi, startRestartableApi } from './restartable-api.ts';

interface StackOptions extends Pick<BackendOptions, 'sandbox' | 'seeded' | 'intercept' | 'env' | 'log'> {
  dataDirectory: string;
  /** true: a data folder; engines write every change to disk. false: new keys, and data may be lost. */
  kept: boolean;
  /** Redis with replicas and sentinels, MySQL with a replica. */
  ha?: boolean;
  /** Empties the kept folder first. */
  fresh?: boolean;
  /** 0, the default, takes a free port. */
  port?: number;
  /** Folder of the built bundles (default `dist`). */
  distDirectory?: string;
  schedules?: boolean;
  /** Web pages that may call from a browser (default: those of serverless.yml). */
  h5Origins?: string[];
  /** Runs when this process has locked the data folder. */
  beforeServing?: () => Promise<void>;
  /** false: no HTTP API. The caller serves the functions in another way. */
  served?: boolean;
}

/** The whole service on one machine, over real engines. */
export interface Stack extends Omit<Backend, 'stop'> {
  /** '': no HTTP API. */
  url: string;
  engines: StackEngines;
  mysql: MysqlLogin;
  api: RestartableApi | undefined;
  /** Lets other commands find it by its data folder. `url`: where the caller serves the functions. */
  announce(url?: string): Promise<void>;
  /** Stops each part before the parts that it needs. */
  stop(): Promise<void>;
}

const DATABASE = 'miniapp';
/** Functions with a thread of their own: a password hash blocks its thread until it is computed. */
const OWN_THREAD = ['login'];

export function startStack(options: StackOptions): Promise<Stack> {
  const { kept, log } = options;
  return startTogether(async (onStop) => {
    const folder = kept ? await openDataFolder(options.dataDirectory, { fresh: options.fresh ?? false }) : undefined;
    if (folder) onStop(() => folder.close());
    const directory = folder?.directory ?? options.dataDirectory;
    const keys = folder?.keys ?? newKeys();

    await options.beforeServing?.();
    const engines = await startStackEngines({ directory, kept, ha: options.ha ?? false, log });
    onStop(() => engines.stop());
    const mysql = { ...engines.mysql, database: DATABASE };
    const { redis, mysqlReplicas } = engines;
    const { stop: stopBackend, ...backend } = await startBackend({
      ...options,
      ...(kept && { objectsDirectory: directory }),
      ...{ redis, mysql, mysqlReplicas, keys },
    });
    onStop(stopBackend);
    const api = options.served === false ? undefined : await serve(options);
    if (api) onStop(() => api.stop());

    return {
      ...backend,
      url: api?.url ?? '',
      engines,
      mysql,
      api,
      async announce(url = api?.url ?? '') {
        const { upstash, planetscale, wechat, sandbox } = backend;
        const { url: databaseUrl, replicaUrl } = planetscale;
        const replica = replicaUrl ? { replicaUrl } : {};
        const addresses = { databaseUrl, ...replica, redisUrl: upstash.url, wechatUrl: wechat.url };
        await folder?.announce({ url, ...addresses, redisToken: keys.redisToken, sandbox });
      },
    };
  });
}

function serve({ port = 0, schedules = false, distDirectory, h5Origins, log }: StackOptions): Promise<RestartableApi> {
  return startRestartableApi({
    port,
    schedules,
    workers: OWN_THREAD,
    log,
    ...(distDirectory && { distDirectory }),
    ...(h5Origins && { h5Origins }),
  });
}
