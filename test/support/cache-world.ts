import { randomBytes } from 'node:crypto';
import type { Redis } from 'ioredis';
import { Redis as RedisClient } from 'ioredis';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import { startUpstashGateway } from '../../gateway/upstash/gateway.ts';
import type { CachePolicy, Load } from '../../shared/cache/cache.ts';
import { decodeValue } from '../../shared/cache/value.ts';
import { keyFamily } from '../../shared/keys.ts';
import { freshDatabase, freshRedis } from './engines.ts';
import { Interleaving } from './interleaving.ts';

/** One row of MySQL behind one cache key, in as many copies as there are interleavings. */
const rowKey = keyFamily<[number]>({
  area: 'cache',
  name: 'interleaved',
  version: 1,
  parts: ['number'],
  ttlSeconds: 3_600,
});
const LONG: CachePolicy = { freshSeconds: 600, graceSeconds: 600, nullSeconds: 600 };
/** A value is stale as soon as it is cached: every read refreshes it, or runs beside a read that does. */
const STALE: CachePolicy = { ...LONG, freshSeconds: 0.001 };

export interface CacheWorld {
  redis: Redis;
  /** A new row and the schedule of its actors. In every second case the row does not exist at first. */
  interleaving(seed: number): Promise<Row>;
  stop(): Promise<void>;
}

/** Records what MySQL contains and what the cache may return. Each request has a switch point in both directions. */
export class Row {
  /** State after each committed write: null if the row was deleted. */
  readonly history: Array<number | null> = [];
  /** Index into the history: every write up to it has ended and deleted its keys. */
  invalidated = 0;
  /** Number of reads that returned an older state than that. */
  staleReads = 0;
  constructor(
    readonly id: number,
    readonly schedule: Interleaving,
    readonly policy: CachePolicy,
    private readonly mysql: Connection,
  ) {}

  readonly key = () => rowKey(this.id);

  readonly load: Load<number> = async (indexes) => {
    await this.schedule.turn();
    const value = await this.inMysql();
    await this.schedule.turn();
    return indexes.map(() => ({ value, version: 1 }));
  };

  async inMysql(): Promise<number | null> {
    const [rows] = await this.mysql.query<RowDataPacket[]>('SELECT value FROM interleaved WHERE id = ?', [this.id]);
    return (rows[0]?.value as number | undefined) ?? null;
  }

  /** Commits `value`; null deletes the row. Returns its index in the history. */
  async commit(value: number | null): Promise<number> {
    await this.schedule.turn();
    const at = await this.apply(value);
    await this.schedule.turn();
    return at;
  }

  /** A statement whose caller does not wait: it is applied at some later switch point. */
  async late(value: number | null): Promise<void> {
    await this.schedule.turn();
    await this.apply(value);
  }

  async apply(value: number | null): Promise<number> {
    await this.mysql.query(
      value === null
        ? 'DELETE FROM interleaved WHERE id = ?'
        : 'INSERT INTO interleaved (id, value) VALUES (?, ?) ON DUPLICATE KEY UPDATE value = VALUES(value)',
      value === null ? [this.id] : [this.id, value],
    );
    return this.history.push(value) - 1;
  }

  /** undefined: the key is empty, or holds nothing that a reader would use as the row. */
  async inCache(redis: Redis): Promise<{ value: number | null } | undefined> {
    const stored = await redis.get(this.key());
    const decoded = stored === null ? undefined : decodeValue(stored);
    return decoded && { value: (decoded.value as number | undefined) ?? null };
  }
}

/** Runs `work` for each seed, ten at a time. */
export async function forSeeds(from: number, count: number, work: (seed: number) => Promise<void>): Promise<void> {
  let next = from;
  const worker = async (): Promise<void> => {
    while (next < from + count) await work(next++);
  };
  await Promise.all(Array.from({ length: 10 }, worker));
}

/** Sets this process's environment, so only one may run at a time. */
export async function startCacheWorld(): Promise<CacheWorld> {
  const server = await freshRedis();
  const database = await freshDatabase('interleaved');
  const { host, port, user, password } = database;
  const mysql = await createConnection({ host, port, user, password, database: database.database });
  await mysql.query('CREATE TABLE interleaved (id INT PRIMARY KEY, value INT NOT NULL)');
  const token = randomBytes(16).toString('hex');
  const running = new Map<number, Interleaving>();
  const gateway = await startUpstashGateway({
    redis: { host: server.host, port: server.port },
    token,
    intercept: ({ body }) => running.get(Number(/:interleaved:v1:(\d+)/.exec(JSON.stringify(body))?.[1]))?.hold(),
  });
  Object.assign(process.env, {
    UPSTASH_REDIS_REST_URL: gateway.url,
    UPSTASH_REDIS_REST_TOKEN: token,
    DATABASE_URL: `https://a:b@127.0.0.1/none`,
    REDIS_TIMEOUT_MS: '30000',
    LOG: 'off',
  });
  const redis = new RedisClient({ host: server.host, port: server.port });
  let rows = 0;
  return {
    redis,
    async interleaving(seed) {
      const id = ++rows;
      const schedule = new Interleaving(seed, () => running.delete(id));
      running.set(id, schedule);
      const row = new Row(id, schedule, seed % 3 === 0 ? STALE : LONG, mysql);
      await row.apply(seed % 2 === 0 ? 0 : null);
      return row;
    },
    async stop() {
      redis.disconnect();
      mysql.destroy();
      await gateway.stop();
      await server.stop();
      await database.drop();
    },
  };
}
