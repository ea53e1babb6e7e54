import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createConnection } from 'mysql2/promise';
import { type BoundChild, freePort, run, spawnBound } from '../local/engines/process.ts';
import { type StackEngines, startStackEngines } from '../local/engines/stack-engines.ts';
import { functionEnvironment, takeEnvironment } from '../local/function-environment.ts';
import { type Keys, newKeys } from '../local/keys-file.ts';
import { startTogether } from '../serve/lifecycle/started.ts';

/** A self-hosted deployment as in docs/self-hosting.md: engines, `npm run gateway`, `npm run serve`. */
export interface SelfHosted {
  url: string;
  adminUrl: string;
  gatewayUrls: { redis: string; mysql: string };
  env: Record<string, string>;
  engines: StackEngines;
  gateway: ManagedChild;
  front: ManagedChild;
  stop(): Promise<void>;
}

interface ManagedChild {
  pid(): number;
  /** Kills it by SIGKILL, and starts the same command on the same ports. */
  restart(): Promise<void>;
}

const DATABASE = 'miniapp';
const READY_WITHIN_MS = 60_000;

/** Needs `npm run build` before. The timeouts are those of a deployment. */
export function startSelfHosted(options: {
  ha: boolean;
  /** true: engines write every change to disk, as in production. */
  kept: boolean;
  /** false: no schedules, so that only requests of the calls are counted. */
  schedules: boolean;
  /** Settings of serve, in place of those below. */
  serve?: Record<string, string>;
  /** The folder whose programs run. Default: this checkout. */
  checkout?: string;
  log: (line: string) => void;
}): Promise<SelfHosted> {
  const { log, checkout = process.cwd() } = options;
  return startTogether(async (onStop) => {
    const directory = await mkdtemp(join(tmpdir(), 'miniapp-load-'));
    onStop(() => rm(directory, { recursive: true, force: true }));
    const engines = await startStackEngines({ directory, kept: options.kept, ha: options.ha, log });
    onStop(() => engines.stop());
    const connection = await createConnection({ ...engines.mysql });
    await connection.query(`CREATE DATABASE IF NOT EXISTS ${DATABASE}`);
    connection.destroy();

    const keys = newKeys();
    const ports = {
      redis: await freePort(),
      mysql: await freePort(),
      front: await freePort(),
      admin: await freePort(),
    };
    const gateway = await manage(
      checkout,
      'gateway',
      ['--redis-port', `${ports.redis}`, '--mysql-port', `${ports.mysql}`],
      {
        ready: '\nready mysql ',
        env: gatewayEnvironment(engines, keys),
      },
    );
    onStop(() => gateway.stop());
    const url = (user: string) => `http://${user}:${keys.databasePassword}@127.0.0.1:${ports.mysql}`;
    const databaseUrl = url('app');
    const env = {
      ...functionEnvironment(keys, {
        databaseUrl,
        ...(options.ha && { replicaUrl: url('reader') }),
        redisUrl: `http://127.0.0.1:${ports.redis}`,
        wechatUrl: 'http://127.0.0.1:9',
        sandbox: true,
      }),
      // The timeouts of a deployment, not the longer ones of npm run dev.
      REDIS_TIMEOUT_MS: '250',
      MYSQL_TIMEOUT_MS: '2000',
      LOG: 'off',
    };
    takeEnvironment(env);
    for (const command of ['migrate', 'seed']) await runProgram(checkout, 'db/main.ts', [command], env);
    // The calls of all clients come from this machine. It is a trusted proxy, so that clients have own addresses.
    const schedules = options.schedules ? [] : ['--no-schedules'];
    const frontPorts = ['--port', `${ports.front}`, '--admin-port', `${ports.admin}`];
    const front = await manage(checkout, 'serve', [...frontPorts, ...schedules], {
      ready: '\nready ',
      env: { ...env, TRUSTED_PROXIES: '127.0.0.1', MAX_CONCURRENT: '512', ...options.serve },
    });
    onStop(() => front.stop());
    return {
      url: `http://127.0.0.1:${ports.front}`,
      adminUrl: `http://127.0.0.1:${ports.admin}`,
      gatewayUrls: { redis: `http://127.0.0.1:${ports.redis}`, mysql: `http://127.0.0.1:${ports.mysql}` },
      env,
      engines,
      gateway,
      front,
    };
  });
}

function gatewayEnvironment({ redis, mysql, mysqlReplicas }: StackEngines, keys: Keys): Record<string, string> {
  const mysqlUrl = ({ host, port, user, password }: StackEngines['mysql'], database: string) =>
    `mysql://${user}:${encodeURIComponent(password)}@${host}:${port}/${database}`;
  const replicas = mysqlReplicas.map((replica) => mysqlUrl(replica, '')).join(',');
  const redisSettings: Record<string, string> =
    'sentinels' in redis
      ? {
          REDIS_SENTINELS: redis.sentinels.map(({ host, port }) => `${host}:${port}`).join(','),
          REDIS_SENTINEL_NAME: redis.name,
        }
      : { REDIS_URL: `redis://${redis.host}:${redis.port}` };
  return {
    ...redisSettings,
    MYSQL_URL: mysqlUrl(mysql, DATABASE),
    UPSTASH_REDIS_REST_TOKEN: keys.redisToken,
    DATABASE_USERNAME: 'app',
    DATABASE_PASSWORD: keys.databasePassword,
    ...(replicas && {
      MYSQL_REPLICA_URLS: replicas,
      DATABASE_REPLICA_USERNAME: 'reader',
      DATABASE_REPLICA_PASSWORD: keys.databasePassword,
    }),
    STAGE: 'dev',
  };
}

/** Runs one of the command line programs, and returns its last line. */
export async function runProgram(
  checkout: string,
  program: string,
  argv: string[],
  env: Record<string, string>,
): Promise<string> {
  const { code, stdout, stderr } = await run(process.execPath, ['--import', 'tsx', program, ...argv], {
    cwd: checkout,
    env,
  });
  if (code !== 0) throw new Error(`${program} ${argv.join(' ')}: ${stderr || stdout}`);
  return stdout.trim().split('\n').at(-1) ?? '';
}

async function manage(
  checkout: string,
  name: 'gateway' | 'serve',
  argv: string[],
  { ready, env }: { ready: string; env: Record<string, string> },
): Promise<ManagedChild & { stop(): Promise<void> }> {
  const start = async (): Promise<BoundChild> => {
    const child = spawnBound(process.execPath, ['--import', 'tsx', `${name}/main.ts`, ...argv], {
      cwd: checkout,
      env,
    });
    const deadline = performance.now() + READY_WITHIN_MS;
    while (!`\n${child.output()}`.includes(ready)) {
      if (!child.isRunning() || performance.now() > deadline) {
        await child.stop();
        throw new Error(`${name} did not start: ${child.output()}`);
      }
      await sleep(20);
    }
    return child;
  };
  let child = await start();
  return {
    pid: () => child.pid,
    async restart() {
      process.kill(child.pid, 'SIGKILL');
      await child.exited;
      child = await start();
    },
    stop: () => child.stop(),
  };
}
