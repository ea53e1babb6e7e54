import { randomBytes } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findRedis } from './engine-binary.ts';
import { freePort } from './process.ts';
import { type RedisServer, runRedis } from './redis-server.ts';

export interface SentinelSet {
  /** Addresses of the sentinels. A client asks them for the master. */
  addresses: { host: string; port: number }[];
  name: string;
  members: RedisServer[];
  stop(): Promise<void>;
}

/**
 * Starts sentinels that watch one master, and promote a replica when `quorum` of them find it down (row A8
 * (sentinels)). The configuration lists the replicas and the other sentinels: to discover them takes many seconds.
 */
export async function startSentinels(options: {
  directory: string;
  count: number;
  quorum: number;
  master: { name: string; host: string; port: number };
  replicas: { host: string; port: number }[];
  downAfterMilliseconds?: number;
  failoverTimeoutMilliseconds?: number;
  log?: (line: string) => void;
}): Promise<SentinelSet> {
  const { directory, log = () => {} } = options;
  const binary = await findRedis(log);
  // Each sentinel must know the ports of the others. So if one port is taken, all get new ports.
  for (let attempt = 1; ; attempt += 1) {
    const identities: RedisNode[] = [];
    for (let index = 0; index < options.count; index += 1) {
      identities.push({ id: randomBytes(20).toString('hex'), port: await freePort() });
    }
    const starts = await Promise.allSettled(
      identities.map(async (identity, index) => {
        const home = join(directory, `sentinel-${index + 1}`);
        await mkdir(home, { recursive: true });
        const file = join(home, 'sentinel.conf'); // the sentinel rewrites it
        await writeFile(file, configuration(options, home, identity, identities));
        const server = { name: `sentinel ${index + 1}`, directory: home, port: identity.port, log };
        return runRedis(binary, server, () => [file, '--sentinel']);
      }),
    );
    const members = starts.flatMap((start) => (start.status === 'fulfilled' ? [start.value] : []));
    const stop = async () => {
      await Promise.all(members.map((member) => member.stop()));
    };
    if (members.length === options.count) {
      const addresses = members.map(({ host, port }) => ({ host, port }));
      return { addresses, name: options.master.name, members, stop };
    }
    await stop();
    const failure = starts.find((start) => start.status === 'rejected')?.reason;
    if (attempt === 3 || !String(failure).includes('is taken')) throw failure;
  }
}

interface RedisNode {
  id: string;
  port: number;
}

function configuration(
  options: Parameters<typeof startSentinels>[0],
  home: string,
  own: RedisNode,
  all: RedisNode[],
): string {
  const { name, host, port } = options.master;
  return [
    `port ${own.port}`,
    'bind 127.0.0.1',
    'daemonize no',
    `dir "${home}"`,
    `sentinel myid ${own.id}`,
    `sentinel monitor ${name} ${host} ${port} ${options.quorum}`,
    `sentinel down-after-milliseconds ${name} ${options.downAfterMilliseconds ?? 1000}`,
    `sentinel failover-timeout ${name} ${options.failoverTimeoutMilliseconds ?? 3000}`,
    `sentinel parallel-syncs ${name} 1`,
    ...options.replicas.map((replica) => `sentinel known-replica ${name} ${replica.host} ${replica.port}`),
    ...all.filter((one) => one !== own).map((one) => `sentinel known-sentinel ${name} 127.0.0.1 ${one.port} ${one.id}`),
    '',
  ].join('\n');
}
