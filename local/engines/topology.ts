import { Redis } from 'ioredis';
import type { SentinelSet } from './engines.ts';

/** Who is master and who follows, as the sentinels and the servers themselves say. */
export const MASTER_NAME = 'main';
const LOOK_EVERY_MS = 500;

/** Asks one sentinel after the other. The first answer counts. */
export async function masterPort(sentinels: SentinelSet): Promise<number | undefined> {
  for (const { host, port } of sentinels.addresses) {
    const said = await ask(host, port, (client) => client.call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', MASTER_NAME));
    if (Array.isArray(said)) return Number(said[1]);
  }
  return undefined;
}

/** Asks one server. undefined: it does not answer. */
export async function ask<T>(
  host: string,
  port: number,
  question: (client: Redis) => Promise<T>,
): Promise<T | undefined> {
  const client = new Redis({
    host,
    port,
    lazyConnect: true,
    retryStrategy: () => null,
    maxRetriesPerRequest: 0,
    connectTimeout: 300,
    commandTimeout: 300,
  });
  client.on('error', () => {}); // undefined is the result then
  try {
    await client.connect();
    return await question(client);
  } catch {
    return undefined;
  } finally {
    client.disconnect();
  }
}

interface Topology {
  servers: ReadonlyArray<{ name: string; port: number }>;
  sentinels: SentinelSet;
  mysqlReplica: { port: number };
}

/** Logs who is master and who follows: now, and after each change. */
export function watchTopology(
  { servers, sentinels, mysqlReplica }: Topology,
  say: (line: string) => void,
): { stop(): void } {
  let shown = '';
  let stopped = false;
  const look = async () => {
    const named = await masterPort(sentinels);
    const roles = await Promise.all(
      servers.map(async ({ name, port }) => {
        const role = await ask('127.0.0.1', port, (client) => client.role());
        const isMaster = role?.[0] === 'master' && port === named;
        const link = Array.isArray(role) ? role[3] : undefined;
        const state = !role ? 'down' : isMaster ? 'MASTER' : link === 'connected' ? 'replica' : 'joining';
        return `${name}:${port} ${state}`;
      }),
    );
    const alive = await Promise.all(sentinels.addresses.map(({ host, port }) => ask(host, port, (c) => c.ping())));
    const count = alive.filter((answer) => answer === 'PONG').length;
    const line = `redis ${roles.join(', ')}; sentinels ${count} of ${alive.length}; mysql replica :${mysqlReplica.port}`;
    if (line !== shown && !stopped) say(`topology: ${line}`);
    shown = line;
  };
  const turn = () =>
    void look().finally(() => {
      if (!stopped) setTimeout(turn, LOOK_EVERY_MS).unref();
    });
  turn();
  return {
    stop: () => {
      stopped = true;
    },
  };
}
