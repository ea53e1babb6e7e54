import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import type { SelfHosted } from '../bench/self-hosted.ts';
import type { HighAvailability } from '../local/engines/high-availability.ts';

/** A fault in a running deployment. After `end` everything runs as before. */
export interface Scenario {
  name: string;
  about: string;
  /** Smallest allowed share of successful reads, from the begin of the fault to the end of the scenario. */
  readsAtLeast: number;
  begin(world: ChaosWorld): Promise<void>;
  end(world: ChaosWorld): Promise<void>;
}

export interface ChaosWorld {
  served: SelfHosted;
  ha: HighAvailability;
  /** The steps of `end`, added by `begin`. */
  undo: Array<() => Promise<void>>;
}

/** Length of a fault that ends without a step. */
const FAULT_MS = 5_000;

async function masterOf({ ha }: ChaosWorld) {
  const member = await ha.master();
  if (!member?.server) throw new Error('no master is known');
  return { member, pid: member.server.pid };
}

async function onMaster(world: ChaosWorld, work: (redis: Redis) => Promise<unknown>): Promise<void> {
  const { member } = await masterOf(world);
  const redis = new Redis({ host: '127.0.0.1', port: member.port });
  redis.on('error', () => {});
  try {
    await work(redis);
  } finally {
    redis.disconnect();
  }
}

async function onReplica(world: ChaosWorld, statements: string[]): Promise<void> {
  const { host, port, user, password } = world.ha.mysqlReplica;
  const connection = await createConnection({ host, port, user, password });
  try {
    for (const statement of statements) await connection.query(statement);
  } finally {
    connection.destroy();
  }
}

/** Stops the process. As in a network partition, connections stay open and nothing answers. */
function freeze(pid: number): () => Promise<void> {
  process.kill(pid, 'SIGSTOP');
  return async () => void process.kill(pid, 'SIGCONT');
}

const undoAll = async ({ undo }: ChaosWorld): Promise<void> => {
  for (const step of undo.splice(0)) await step();
};

export const scenarios: Scenario[] = [
  {
    name: 'redis-master-killed',
    about: 'kill -9 of the Redis master; it starts again as a replica',
    readsAtLeast: 0.95,
    async begin(world) {
      const { member } = await masterOf(world);
      await member.kill();
      world.undo.push(() => member.start());
    },
    end: undoAll,
  },
  {
    name: 'redis-partition',
    about: 'the Redis master hangs as in a partition (SIGSTOP), is replaced, and continues',
    readsAtLeast: 0.95,
    async begin(world) {
      world.undo.push(freeze((await masterOf(world)).pid));
    },
    end: undoAll,
  },
  {
    name: 'sentinels-lost',
    about: 'two of three sentinels stop: no failover is possible, the master still serves; they continue',
    readsAtLeast: 0.999,
    async begin(world) {
      world.undo.push(...world.ha.sentinels.members.slice(0, 2).map(({ pid }) => freeze(pid)));
    },
    end: undoAll,
  },
  {
    name: 'redis-slow',
    about: `for ${FAULT_MS / 1000} s Redis answers nothing for 200 ms of each 300 ms`,
    readsAtLeast: 0.95,
    async begin(world) {
      const { pid } = await masterOf(world);
      for (const until = performance.now() + FAULT_MS; performance.now() < until; await sleep(100)) {
        const wake = freeze(pid);
        await sleep(200);
        await wake();
      }
    },
    end: undoAll,
  },
  {
    name: 'redis-full',
    about: 'maxmemory is reached and nothing is evicted: Redis refuses writes (OOM)',
    readsAtLeast: 0.95,
    async begin(world) {
      await onMaster(world, (redis) => redis.config('SET', 'maxmemory', '1mb'));
      world.undo.push(() => onMaster(world, (redis) => redis.config('SET', 'maxmemory', '0')));
    },
    end: undoAll,
  },
  {
    name: 'redis-flushed',
    about: 'FLUSHALL: everything is loaded from MySQL again, nobody is logged out',
    readsAtLeast: 0.999,
    begin: (world) => onMaster(world, (redis) => redis.flushall()),
    end: undoAll,
  },
  {
    name: 'replica-stopped',
    about: 'the MySQL replica stops applying: it is behind, then takes no reads, then catches up',
    readsAtLeast: 0.999,
    async begin(world) {
      await onReplica(world, ['STOP SLAVE SQL_THREAD']);
      world.undo.push(() => onReplica(world, ['START SLAVE SQL_THREAD']));
    },
    end: undoAll,
  },
  {
    name: 'mysql-killed',
    about: 'kill -9 of the MySQL primary; it starts again on its data',
    // Records that were written just before the fault are not cached, and a replica may not have them yet.
    readsAtLeast: 0.9,
    async begin({ ha, undo }) {
      process.kill(ha.mysqlPid(), 'SIGKILL');
      undo.push(() => ha.restartMysql());
    },
    end: undoAll,
  },
  {
    name: 'mysql-hangs',
    about: 'the MySQL primary hangs (SIGSTOP) and continues: late statements are applied at most once',
    // Records that were written just before the fault are not cached, and a replica may not have them yet.
    readsAtLeast: 0.9,
    async begin({ ha, undo }) {
      undo.push(freeze(ha.mysqlPid()));
    },
    end: undoAll,
  },
  {
    name: 'gateway-killed',
    about: 'kill -9 of both gateways; they start again',
    readsAtLeast: 0.5,
    begin: ({ served }) => served.gateway.restart(),
    end: undoAll,
  },
];
