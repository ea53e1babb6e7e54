import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SentinelAddress } from '../../gateway/upstash/sentinel.ts';
import { startTogether } from '../../serve/lifecycle/started.ts';
import {
  type MysqlServer,
  type RedisServer,
  type SentinelSet,
  startMysql,
  startRedis,
  startSentinels,
} from './engines.ts';
import { ask, MASTER_NAME, masterPort, watchTopology } from './topology.ts';

/** Rows A8 (sentinels) and A9 (replicas) on one machine: three Redis servers, three sentinels, two MySQL servers. */
export interface HighAvailability {
  redis: SentinelAddress;
  sentinels: SentinelSet;
  /** The Redis servers. Their names are fixed; the master changes. */
  servers: RedisMember[];
  mysql: MysqlServer;
  mysqlReplica: MysqlServer;
  /** Process id of the current primary. */
  mysqlPid(): number;
  /** Starts the primary again after a kill, on the same port and data, so that clients find it again. */
  restartMysql(): Promise<void>;
  /** The master, as the sentinels name it. undefined: they name none, or an unknown one. */
  master(): Promise<RedisMember | undefined>;
  /** Logs the topology now, and each change of it. */
  watch(log: (line: string) => void): { stop(): void };
  stop(): Promise<void>;
}

export interface RedisMember {
  name: string;
  port: number;
  /** undefined: not running. */
  server: RedisServer | undefined;
  /** Ends it by SIGKILL. Its data is kept. */
  kill(): Promise<void>;
  /** Starts it on the same port and data. The sentinels then make it a replica or the master. */
  start(): Promise<void>;
}

const MEMBERS = ['redis-1', 'redis-2', 'redis-3'];
const MASTER_FILE = 'redis-master';
/** Names of Redis in the data folder. */
export const REDIS_FOLDERS = [...MEMBERS, 'sentinels', MASTER_FILE];
/** A master without replicas refuses writes, because they would be lost if it fails. */
const SAFE_WRITES = ['--min-replicas-to-write', '1', '--min-replicas-max-lag', '3'];

export function startHighAvailability(options: {
  directory: string;
  /** true: engines write every change to disk. */
  kept: boolean;
  replicaDelaySeconds?: number;
  log: (line: string) => void;
}): Promise<HighAvailability> {
  const { directory, kept, log } = options;
  return startTogether(async (onStop) => {
    const masterFile = join(directory, MASTER_FILE);
    const first = await readFile(masterFile, 'utf8').catch(() => MEMBERS[0] as string);
    const names = [first, ...MEMBERS.filter((name) => name !== first)];
    const servers: RedisMember[] = [];
    for (const name of names) {
      const member = await startMember(name, servers[0], { directory, kept, log });
      servers.push(member);
      onStop(async () => member.server?.stop());
    }
    await untilCopied(servers[0] as RedisMember);
    const [master, ...replicas] = servers as [RedisMember, ...RedisMember[]];
    const sentinels = await startSentinels({
      directory: join(directory, 'sentinels'),
      count: 3,
      quorum: 2,
      log,
      master: { name: MASTER_NAME, host: '127.0.0.1', port: master.port },
      replicas: replicas.map(({ port }) => ({ host: '127.0.0.1', port })),
    });
    onStop(() => sentinels.stop());

    // Never the server of MYSQL_URL: a replica needs a primary into which it can log in as administrator.
    const startPrimary = (port?: number) =>
      startMysql({
        directory: join(directory, 'mysql'),
        durable: kept,
        own: true,
        log,
        ...(port !== undefined && { port }),
      });
    const mysql = await startPrimary();
    let primary = mysql;
    onStop(() => primary.stop());
    const mysqlReplica = await startMysql({
      directory: join(directory, 'mysql-replica'),
      replicaOf: mysql,
      durable: kept,
      own: true,
      log,
      ...(options.replicaDelaySeconds !== undefined && { replicaDelaySeconds: options.replicaDelaySeconds }),
    });
    onStop(() => mysqlReplica.stop());

    const findMaster = async () => {
      const port = await masterPort(sentinels);
      return servers.find((member) => member.port === port);
    };
    // The next start must begin with the data of the last master.
    onStop(async () => {
      const last = await findMaster().catch(() => undefined);
      if (kept && last) await writeFile(masterFile, last.name);
    });
    return {
      redis: { sentinels: sentinels.addresses, name: MASTER_NAME },
      sentinels,
      servers,
      mysql,
      mysqlReplica,
      master: findMaster,
      mysqlPid: () => primary.pid,
      async restartMysql() {
        await primary.stop();
        primary = await startPrimary(mysql.port);
      },
      watch: (say: (line: string) => void) => watchTopology({ servers, sentinels, mysqlReplica }, say),
    };
  });
}

async function startMember(
  name: string,
  master: RedisMember | undefined,
  { directory, kept, log }: { directory: string; kept: boolean; log: (line: string) => void },
): Promise<RedisMember> {
  const start = (port?: number) =>
    startRedis({
      directory: join(directory, name),
      persist: kept,
      own: true,
      log,
      // A backlog of its writes lets a replica continue after a short break. Without it the replica copies everything.
      extraArguments: [...SAFE_WRITES, '--repl-backlog-size', '16mb'],
      ...(port !== undefined && { port }),
      ...(master && { replicaOf: { host: '127.0.0.1', port: master.port } }),
    });
  const server = await start();
  const member: RedisMember = {
    name,
    port: server.port,
    server,
    async kill() {
      const dying = member.server;
      if (!dying) return;
      member.server = undefined;
      process.kill(dying.pid, 'SIGKILL');
      await dying.stop();
    },
    async start() {
      member.server ??= await start(member.port);
    },
  };
  return member;
}

/** Waits until the replicas follow: before that the master refuses writes. */
async function untilCopied({ port }: RedisMember): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt += 1) {
    const copies = await ask('127.0.0.1', port, (client) => client.wait(MEMBERS.length - 1, 100));
    if (copies === MEMBERS.length - 1) return;
  }
  throw new Error('the replicas of Redis do not follow their master');
}
