import { spawn, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { startRedis } from '../local/engines/engines.ts';

/** Installs the other projects in the versions of bench/package-lock.json. Only the benches need them. */
export function installAnchors(): void {
  if (existsSync('bench/node_modules/jose')) return;
  console.log('installing the packages to compare with into bench/node_modules');
  const npm = spawnSync('npm', ['ci', '--prefix', 'bench', '--no-audit', '--no-fund', '--ignore-scripts'], {
    stdio: 'inherit',
  });
  if (npm.status !== 0) throw new Error('npm ci in bench/ failed');
}

interface Counted {
  /** HTTP requests. For a library that uses TCP: commands sent; it waits for each of them. */
  requests: number;
  /** Commands that Redis ran. Commands in scripts are counted too. */
  commands: number;
}

export interface BenchRedis {
  host: string;
  port: number;
  url: string;
  token: string;
  /** Counts requests and commands of `work`. */
  count(kind: 'http' | 'tcp', work: () => Promise<unknown>): Promise<Counted>;
  memoryBytes(): Promise<number>;
  flush(): Promise<void>;
  stop(): Promise<void>;
}

const SHELLS =
  /^(eval|evalsha|script|info|config|client|hello|auth|select|ping|command|quit|monitor|multi|exec|flushall)$/;

export async function startBenchRedis(): Promise<BenchRedis> {
  installAnchors();
  const { Redis } = await import('ioredis');
  const directory = await mkdtemp(join(tmpdir(), 'miniapp-bench-redis-'));
  const server = await startRedis({ directory });
  const token = 'bench';
  const child = spawn(
    process.execPath,
    ['--import', 'tsx', 'bench/gateway-process.ts', server.host, String(server.port), token],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const line = async (): Promise<string> => String((await lines.next()).value);
  const url = await line();
  const httpRequests = async (): Promise<number> => {
    child.stdin.write('stats\n');
    return (JSON.parse(await line()) as { requests: number }).requests;
  };
  Object.assign(process.env, {
    UPSTASH_REDIS_REST_URL: url,
    UPSTASH_REDIS_REST_TOKEN: token,
    DATABASE_URL: 'https://none:none@127.0.0.1/none',
    REDIS_TIMEOUT_MS: '20000',
    LOG: 'off',
  });
  const redis = new Redis({ host: server.host, port: server.port });
  /** Counts commands sent while `work` runs, without those in scripts and those that set up a connection. */
  async function sentWhile(work: () => Promise<unknown>): Promise<number> {
    let sent = 0;
    const monitor = await redis.monitor();
    monitor.on('monitor', (_time: string, [name = '']: string[], source: string) => {
      if (source !== 'lua' && !/^(info|config|hello|client|select|multi|exec|command|ping)$/i.test(name)) sent++;
    });
    await work();
    await new Promise((resolve) => setTimeout(resolve, 30));
    monitor.disconnect();
    return sent;
  }
  return {
    host: server.host,
    port: server.port,
    url,
    token,
    async count(kind, work) {
      await redis.config('RESETSTAT');
      let requests: number;
      if (kind === 'http') {
        const before = await httpRequests();
        await work();
        requests = (await httpRequests()) - before;
      } else requests = await sentWhile(work);
      let commands = 0;
      for (const [, name = '', calls] of (await redis.info('commandstats')).matchAll(
        /^cmdstat_([^:|]+)[^:]*:calls=(\d+)/gm,
      )) {
        if (!SHELLS.test(name)) commands += Number(calls);
      }
      return { requests, commands };
    },
    memoryBytes: async () => Number(/used_memory:(\d+)/.exec(await redis.info('memory'))?.[1]),
    flush: async () => void (await redis.flushall()),
    async stop() {
      redis.disconnect();
      child.stdin.end();
      await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** CPU microseconds of this process for one call: the mean of `times` calls after a warm-up. */
export async function cpuMicroseconds(times: number, work: (i: number) => Promise<unknown>): Promise<number> {
  for (let i = 0; i < times / 4; i++) await work(-1 - i);
  const before = process.cpuUsage();
  for (let i = 0; i < times; i++) await work(i);
  const { user, system } = process.cpuUsage(before);
  return Math.round((user + system) / times);
}
