import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { type Connection, createConnection } from 'mysql2/promise';
import type { GatewayFault } from '../../gateway/faults.ts';
import { type PlanetscaleGateway, startPlanetscaleGateway } from '../../gateway/planetscale/gateway.ts';
import { startUpstashGateway } from '../../gateway/upstash/gateway.ts';
import { freshDatabase, freshRedis } from './engines.ts';
import { resourceOf, tableOf, USER_TABLE } from './list-resource.ts';
import { ListRun } from './list-run.ts';

/** A real Redis and MySQL with one table for each worker. All requests of a worker pass the switch points of its run. */
const WORKERS = 10;

export interface ListWorld {
  /** Runs `work` for `count` seeds, ten at a time, each in an empty table. Ends with the first that finds a fault. */
  search(first: number, count: number, work: (run: ListRun) => Promise<string[]>): Promise<string[]>;
  /** Of all searches so far: runs that ended, and pages that were compared in them. */
  counted(): { runs: number; reads: number };
  /** How many pages were loaded from the replica. */
  replicaReads(): number;
  stop(): Promise<void>;
}

async function tablesIn(
  name: string,
): Promise<{ mysql: Connection; settings: Awaited<ReturnType<typeof freshDatabase>> }> {
  const settings = await freshDatabase(name);
  const { host, port, user, password, database } = settings;
  const mysql = await createConnection({ host, port, user, password, database });
  for (let worker = 0; worker < WORKERS; worker++) await mysql.query(tableOf(`pages_${worker}`));
  for (const statement of USER_TABLE) await mysql.query(statement);
  return { mysql, settings };
}

/** `replica`: a second database, to which only the runs copy. Sets this process's environment. */
export async function startListWorld({ replica = false } = {}): Promise<ListWorld> {
  const running = new Map<number, ListRun>();
  const runOf = (text: string): ListRun | undefined => running.get(Number(/\bpages[-_](\d+)\b/.exec(text)?.[1]));
  const token = randomBytes(16).toString('hex');
  const server = await freshRedis();
  const primary = await tablesIn('lists');
  const copy = replica ? await tablesIn('listscopy') : undefined;
  let replicaReads = 0;
  const overDatabase = (settings: typeof primary.settings, onQuery = (): void => {}): Promise<PlanetscaleGateway> => {
    const { host, port, user, password, database } = settings;
    const intercept = ({ sql = '' }): GatewayFault | undefined => {
      onQuery();
      return runOf(sql)?.holdMysql(sql);
    };
    const server = { host, port, user, password, database };
    return startPlanetscaleGateway({ primary: server, username: 'lists', password: token, intercept });
  };
  const gateway = await startUpstashGateway({
    redis: { host: server.host, port: server.port },
    token,
    intercept: ({ body }) => runOf(JSON.stringify(body))?.holdRedis(),
  });
  const mysqlGateway = await overDatabase(primary.settings);
  const copyGateway = copy && (await overDatabase(copy.settings, () => replicaReads++));
  Object.assign(process.env, {
    UPSTASH_REDIS_REST_URL: gateway.url,
    UPSTASH_REDIS_REST_TOKEN: token,
    DATABASE_URL: mysqlGateway.url,
    ...(copyGateway && { DATABASE_REPLICA_URL: copyGateway.url }),
    ...{
      REDIS_TIMEOUT_MS: '30000',
      MYSQL_TIMEOUT_MS: '30000',
      SERVER_KEY: randomBytes(32).toString('hex'),
      LOG: 'off',
    },
  });
  const redis = new Redis({ host: server.host, port: server.port });
  let [runs, reads] = [0, 0];

  async function runOne(worker: number, seed: number, work: (run: ListRun) => Promise<string[]>): Promise<string[]> {
    const table = `pages_${worker}`;
    for (const mysql of [primary.mysql, ...(copy ? [copy.mysql] : [])]) await mysql.query(`DELETE FROM ${table}`);
    const resource = resourceOf(`pages-${worker}-${++runs}`, table);
    const run = new ListRun(seed, resource, redis, primary.mysql, copy?.mysql);
    running.set(worker, run);
    return work(run).finally(() => {
      running.delete(worker);
      reads += run.reads;
    });
  }

  return {
    async search(first, count, work) {
      let next = first;
      const found: string[] = [];
      const inTurn = async (_: unknown, worker: number): Promise<void> => {
        while (next < first + count && found.length === 0) found.push(...(await runOne(worker, next++, work)));
      };
      await Promise.all(Array.from({ length: WORKERS }, inTurn));
      return found;
    },
    counted: () => ({ runs, reads }),
    replicaReads: () => replicaReads,
    async stop() {
      redis.disconnect();
      for (const { mysql, settings } of [primary, ...(copy ? [copy] : [])]) {
        mysql.destroy();
        await settings.drop();
      }
      await Promise.all([gateway.stop(), mysqlGateway.stop(), copyGateway?.stop()]);
      await server.stop();
    },
  };
}
