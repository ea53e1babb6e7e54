import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { createConnection } from 'mysql2/promise';
import type { SelfHosted } from '../bench/self-hosted.ts';
import type { HighAvailability } from '../local/engines/high-availability.ts';

/** What is done to a running deployment. `heal` has ended when everything is as before. */
export interface Scenario {
  name: string;
  about: string;
  /** Share of good reads that has to be served from the first blow to the end. */
  readsAtLeast: number;
  strike(world: ChaosWorld): Promise<void>;
  heal(world: ChaosWorld): Promise<void>;
}

export interface ChaosWorld {
  served: SelfHosted;
  ha: HighAvailability;
  /** Left by `strike` for `heal`. */
  undo: Array<() => Promise<void>>;
}

/** How long a fault lasts where time heals it. */
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

/** Stops the process as a partition would: connections stay open, nothing answers. */
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
    about: 'kill -9 of the Redis master; it comes back as a replica',
    readsAtLeast: 0.95,
    async strike(world) {
      const { member } = await masterOf(world);
      await member.kill();
      world.undo.push(() => member.start());
    },
    heal: undoAll,
  },
  {
    name: 'redis-partition',
    about: 'the Redis master hangs as behind a cut line (SIGSTOP), is replaced, and wakes up',
    readsAtLeast: 0.95,
    async strike(world) {
      world.undo.push(freeze((await masterOf(world)).pid));
    },
    heal: undoAll,
  },
  {
    name: 'sentinels-lost',
    about: 'two of three sentinels die: nobody may promote, the master serves on; they return',
    readsAtLeast: 0.999,
    async strike(world) {
      world.undo.push(...world.ha.sentinels.members.slice(0, 2).map(({ pid }) => freeze(pid)));
    },
    heal: undoAll,
  },
  {
    name: 'redis-slow',
    about: `for ${FAULT_MS / 1000} s Redis answers nothing for 200 ms of each 300 ms`,
    readsAtLeast: 0.95,
    async strike(world) {
      const { pid } = await masterOf(world);
      for (const until = performance.now() + FAULT_MS; performance.now() < until; await sleep(100)) {
        const wake = freeze(pid);
        await sleep(200);
        await wake();
      }
    },
    heal: undoAll,
  },
  {
    name: 'redis-full',
    about: 'maxmemory is reached and nothing is evicted: writes of Redis are refused (OOM)',
    readsAtLeast: 0.95,
    async strike(world) {
      await onMaster(world, (redis) => redis.config('SET', 'maxmemory', '1mb'));
      world.undo.push(() => onMaster(world, (redis) => redis.config('SET', 'maxmemory', '0')));
    },
    heal: undoAll,
  },
  {
    name: 'redis-flushed',
    about: 'FLUSHALL: everything comes back from MySQL, nobody is logged out',
    readsAtLeast: 0.999,
    strike: (world) => onMaster(world, (redis) => redis.flushall()),
    heal: undoAll,
  },
  {
    name: 'replica-stopped',
    about: 'the MySQL replica stops applying: it is behind, then out, then catches up',
    readsAtLeast: 0.999,
    async strike(world) {
      await onReplica(world, ['STOP SLAVE SQL_THREAD']);
      world.undo.push(() => onReplica(world, ['START SLAVE SQL_THREAD']));
    },
    heal: undoAll,
  },
  {
    name: 'mysql-killed',
    about: 'kill -9 of the MySQL primary, which restarts on its data',
    // What was written just before the blow is in no cache, and no replica may answer for it.
    readsAtLeast: 0.9,
    async strike({ ha, undo }) {
      process.kill(ha.mysqlPid(), 'SIGKILL');
      undo.push(() => ha.restartMysql());
    },
    heal: undoAll,
  },
  {
    name: 'mysql-hangs',
    about: 'the MySQL primary hangs (SIGSTOP) and wakes up: late statements commit or do not, once',
    // What was written just before the blow is in no cache, and no replica may answer for it.
    readsAtLeast: 0.9,
    async strike({ ha, undo }) {
      undo.push(freeze(ha.mysqlPid()));
    },
    heal: undoAll,
  },
  {
    name: 'gateway-killed',
    about: 'kill -9 of both gateways, which start again',
    readsAtLeast: 0.5,
    strike: ({ served }) => served.gateway.restart(),
    heal: undoAll,
  },
];
