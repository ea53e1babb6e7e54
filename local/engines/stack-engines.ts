import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RedisAddress } from '../../gateway/upstash/redis-connection.ts';
import { startTogether } from '../../serve/lifecycle/started.ts';
import { startMysql, startRedis } from './engines.ts';
import { type HighAvailability, REDIS_FOLDERS, startHighAvailability } from './high-availability.ts';

interface ServerLogin {
  host: string;
  port: number;
  user: string;
  password: string;
}

export interface StackEngines {
  redis: RedisAddress;
  mysql: ServerLogin;
  mysqlReplicas: ServerLogin[];
  /** 0: not a child of this process. undefined: with `ha`, because the master changes. */
  redisPid?: number;
  /** Only with `ha`. */
  highAvailability?: HighAvailability;
  stop(): Promise<void>;
}

/** One Redis and one MySQL, or with `ha` replicas and sentinels (rows A8 (sentinels) and A9 (replicas)). */
export function startStackEngines(options: {
  directory: string;
  kept: boolean;
  ha: boolean;
  log: (line: string) => void;
}): Promise<StackEngines> {
  const { directory, kept, ha, log } = options;
  return startTogether(async (onStop): Promise<Omit<StackEngines, 'stop'>> => {
    if (kept) await dropOtherCaches(directory, ha);
    if (ha) {
      const highAvailability = await startHighAvailability({ directory, kept, log });
      onStop(() => highAvailability.stop());
      const { redis, mysql, mysqlReplica } = highAvailability;
      return { redis, mysql: login(mysql), mysqlReplicas: [login(mysqlReplica)], highAvailability };
    }
    const redis = await startRedis({ directory: join(directory, 'redis'), persist: kept, log });
    onStop(() => redis.stop());
    const mysql = await startMysql({ directory: join(directory, 'mysql'), durable: kept, log });
    onStop(() => mysql.stop());
    const password = decodeURIComponent(new URL(redis.url).password);
    const address = { host: redis.host, port: redis.port, ...(password && { password }) };
    return { redis: address, redisPid: redis.pid, mysql: login(mysql), mysqlReplicas: [] };
  });
}

const login = ({ host, port, user, password }: ServerLogin): ServerLogin => ({ host, port, user, password });

/** Deletes the caches of the other topology: they have missed writes since. Nothing is lost, they are only caches. */
async function dropOtherCaches(directory: string, ha: boolean): Promise<void> {
  const file = join(directory, 'redis-topology');
  const now = ha ? 'replicated' : 'single';
  const before = await readFile(file, 'utf8').catch(() => 'single');
  if (before !== now) {
    const folders = ha ? REDIS_FOLDERS : ['redis'];
    for (const folder of folders) await rm(join(directory, folder), { recursive: true, force: true });
  }
  await writeFile(file, now);
}
