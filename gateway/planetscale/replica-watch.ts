import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import type { MysqlServer } from './link.ts';

/** Whether a replica may serve reads. */
export interface ReplicaState {
  server: string;
  takesReads: boolean;
  /** The replica has everything that was committed longer ago than this. null: unknown. */
  behindSeconds: number | null;
  /** Why it takes no reads, for the operator; absent when it takes them. */
  reason?: string;
}

const CHECK_EVERY_MS = 1_000;
const ANSWER_WITHIN_MS = 2_000;
const MAX_MARKS = 120;

/**
 * A GTID position of the primary, which includes everything that was committed before `at` (ms of the monotonic clock).
 */
interface Mark {
  at: number;
  position: string;
}

interface Watched {
  gtids: GtidReader;
  /** Positions that the replica has not reached as far as we know, oldest first. */
  marks: Mark[];
  reachedAt: number | undefined;
  state: ReplicaState;
}

/**
 * Measures how far replicas are behind. It notes the primary's GTID position each second and asks each replica which of
 * these positions it has reached. This finds every cause of lag (a slow or stopped thread, a cut connection, a
 * configured delay); the servers' own "seconds behind" is 0 for some of them. A replica that is more than
 * `maxLagSeconds` behind takes no reads. While the primary is down the measured lag grows, so replicas take reads for
 * `maxLagSeconds` longer.
 */
export class ReplicaWatch {
  #primary: GtidReader;
  #replicas: Watched[];
  #stopping = new AbortController();

  constructor(
    primary: MysqlServer,
    replicas: MysqlServer[],
    readonly maxLagSeconds: number,
    readonly onChange: (state: ReplicaState) => void,
  ) {
    this.#primary = new GtidReader(primary);
    this.#replicas = replicas.map((server) => ({
      gtids: new GtidReader(server),
      marks: [],
      reachedAt: undefined,
      state: {
        server: `${server.host}:${server.port}`,
        takesReads: false,
        behindSeconds: null,
        reason: 'was not checked yet',
      },
    }));
  }

  get states(): ReplicaState[] {
    return this.#replicas.map(({ state }) => state);
  }

  /** Resolves after the first check. Checks continue until `stop`. */
  async start(): Promise<void> {
    await this.#check();
    void this.#repeat();
  }

  stop(): void {
    this.#stopping.abort();
    this.#primary.close();
    for (const { gtids } of this.#replicas) gtids.close();
  }

  async #repeat(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(CHECK_EVERY_MS, undefined, { signal, ref: false }).catch(() => {});
      if (!signal.aborted) await this.#check();
    }
  }

  async #check(): Promise<void> {
    const at = performance.now();
    const position = await this.#primary.position().catch(() => undefined);
    await Promise.all(
      this.#replicas.map(async (replica) => {
        if (position !== undefined) note(replica.marks, { at, position });
        let failure: string | undefined;
        try {
          for (let mark = replica.marks[0]; mark; mark = replica.marks[0]) {
            if (!(await replica.gtids.hasReached(mark.position))) break;
            replica.reachedAt = mark.at;
            replica.marks.shift();
          }
        } catch (error) {
          failure = `does not answer (${(error as { code?: string }).code ?? 'error'})`;
        }
        if (!this.#stopping.signal.aborted)
          this.#update(replica, position === '' ? 'cannot be compared: the primary has no GTIDs' : failure);
      }),
    );
  }

  #update(replica: Watched, failure: string | undefined): void {
    const before = replica.state;
    const { reachedAt } = replica;
    const behind = reachedAt === undefined ? null : (performance.now() - reachedAt) / 1000;
    const takesReads = behind !== null && behind <= this.maxLagSeconds;
    const lag = behind === null ? 'has not reached a known position yet' : `is ${Math.round(behind)} s behind`;
    const reason = failure ?? lag;
    replica.state = { server: before.server, takesReads, behindSeconds: behind, ...(!takesReads && { reason }) };
    if (before.takesReads !== takesReads) this.onChange(replica.state);
  }
}

/** When the position is the same as before, the primary wrote nothing, and the last mark gets the new time. */
function note(marks: Mark[], mark: Mark): void {
  const last = marks.at(-1);
  if (last?.position === mark.position) last.at = mark.at;
  else marks.push(mark);
  if (marks.length > MAX_MARKS) marks.splice(1, 1);
}

/**
 * Reads GTID positions over one connection, which is opened again after it broke. Its methods reject while the server
 * is down.
 */
class GtidReader {
  #connection: Promise<{ connection: Connection; mariadb: boolean }> | undefined;
  #closed = false;

  constructor(readonly server: MysqlServer) {}

  /** Empty when GTIDs are off. */
  async position(): Promise<string> {
    const value = await this.#query('SELECT @@gtid_binlog_pos AS value', 'SELECT @@gtid_executed AS value');
    return String(value ?? '');
  }

  async hasReached(position: string): Promise<boolean> {
    if (position === '') return false;
    const value = await this.#query(
      'SELECT MASTER_GTID_WAIT(?, 0) AS value',
      'SELECT 1 - GTID_SUBSET(?, @@gtid_executed) AS value',
      [position],
    );
    return Number(value) === 0;
  }

  close(): void {
    this.#closed = true;
    this.#drop();
  }

  async #query(onMariadb: string, onMysql: string, values: string[] = []): Promise<unknown> {
    try {
      this.#connection ??= this.#open();
      const { connection, mariadb } = await this.#connection;
      const sql = mariadb ? onMariadb : onMysql;
      const [rows] = await connection.query<RowDataPacket[]>({ sql, values, timeout: ANSWER_WITHIN_MS });
      return rows[0]?.value;
    } catch (error) {
      this.#drop();
      throw error;
    }
  }

  async #open() {
    if (this.#closed) throw new Error('closed');
    const { host, port, user, password } = this.server;
    const connection = await createConnection({ host, port, user, password, connectTimeout: ANSWER_WITHIN_MS });
    connection.on('error', () => this.#drop());
    const [rows] = await connection.query<RowDataPacket[]>({ sql: 'SELECT VERSION() AS v', timeout: ANSWER_WITHIN_MS });
    return { connection, mariadb: /mariadb/i.test(String(rows[0]?.v)) };
  }

  #drop(): void {
    const dropped = this.#connection;
    this.#connection = undefined;
    dropped?.then(
      ({ connection }) => connection.destroy(),
      () => {},
    );
  }
}
