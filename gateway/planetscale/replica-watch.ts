import { setTimeout as sleep } from 'node:timers/promises';
import { type Connection, createConnection, type RowDataPacket } from 'mysql2/promise';
import type { MysqlServer } from './link.ts';

/** What a replica may be read for. */
export interface ReplicaState {
  server: string;
  takesReads: boolean;
  /** Everything that was committed longer ago than this is on it. null: nothing is known. */
  behindSeconds: number | null;
  /** For the operator: why it takes none. */
  reason?: string;
}

const CHECK_EVERY_MS = 1_000;
const ANSWER_WITHIN_MS = 2_000;
const MAX_MARKS = 120;

/** A position of the primary's log, which holds everything that was committed before this moment. */
interface Mark {
  at: number;
  position: string;
}

interface Watched {
  asker: Asker;
  /** Not known to be reached, oldest first. */
  marks: Mark[];
  reachedAt: number | undefined;
  state: ReplicaState;
}

/**
 * Watches how far replicas are behind: it notes the primary's GTID position each second and asks each replica which of
 * the noted ones it has reached. That holds whatever the cause (a slow or stopped thread, a cut line, a set delay),
 * where the servers' own "seconds behind" shows some of them as 0. One further behind than `maxLagSeconds` takes no
 * reads. While the primary is away its replicas count as falling behind, and so outlive it for a while.
 */
export class ReplicaWatch {
  #primary: Asker;
  #replicas: Watched[];
  #stopping = new AbortController();

  constructor(
    primary: MysqlServer,
    replicas: MysqlServer[],
    readonly maxLagSeconds: number,
    readonly onChange: (state: ReplicaState) => void,
  ) {
    this.#primary = new Asker(primary);
    this.#replicas = replicas.map((server) => ({
      asker: new Asker(server),
      marks: [],
      reachedAt: undefined,
      state: {
        server: `${server.host}:${server.port}`,
        takesReads: false,
        behindSeconds: null,
        reason: 'not asked yet',
      },
    }));
  }

  get states(): ReplicaState[] {
    return this.#replicas.map(({ state }) => state);
  }

  /** Resolves after the first look; goes on until `stop`. */
  async start(): Promise<void> {
    await this.#look();
    void this.#goOn();
  }

  stop(): void {
    this.#stopping.abort();
    this.#primary.close();
    for (const { asker } of this.#replicas) asker.close();
  }

  async #goOn(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      await sleep(CHECK_EVERY_MS, undefined, { signal, ref: false }).catch(() => {});
      if (!signal.aborted) await this.#look();
    }
  }

  async #look(): Promise<void> {
    const at = performance.now();
    const position = await this.#primary.position().catch(() => undefined);
    await Promise.all(
      this.#replicas.map(async (replica) => {
        if (position !== undefined) note(replica.marks, { at, position });
        let trouble: string | undefined;
        try {
          for (let mark = replica.marks[0]; mark; mark = replica.marks[0]) {
            if (!(await replica.asker.hasReached(mark.position))) break;
            replica.reachedAt = mark.at;
            replica.marks.shift();
          }
        } catch (error) {
          trouble = `does not answer (${(error as { code?: string }).code ?? 'error'})`;
        }
        if (!this.#stopping.signal.aborted) this.#judge(replica, position === '' ? 'has no GTIDs to compare' : trouble);
      }),
    );
  }

  #judge(replica: Watched, trouble: string | undefined): void {
    const before = replica.state;
    const { reachedAt } = replica;
    const behind = reachedAt === undefined ? null : (performance.now() - reachedAt) / 1000;
    const takesReads = behind !== null && behind <= this.maxLagSeconds;
    const reason = trouble ?? (behind === null ? 'has reached no known position' : `is ${Math.round(behind)} s behind`);
    replica.state = { server: before.server, takesReads, behindSeconds: behind, ...(!takesReads && { reason }) };
    if (before.takesReads !== takesReads) this.onChange(replica.state);
  }
}

/** The same position again only moves the last mark on: the primary has written nothing since. */
function note(marks: Mark[], mark: Mark): void {
  const last = marks.at(-1);
  if (last?.position === mark.position) last.at = mark.at;
  else marks.push(mark);
  if (marks.length > MAX_MARKS) marks.splice(1, 1);
}

/** One connection, opened again after it broke. */
class Asker {
  #connection: Promise<{ connection: Connection; mariadb: boolean }> | undefined;
  #closed = false;

  constructor(readonly server: MysqlServer) {}

  /** Empty where the server numbers no transactions. */
  async position(): Promise<string> {
    const value = await this.#ask('SELECT @@gtid_binlog_pos AS value', 'SELECT @@gtid_executed AS value');
    return String(value ?? '');
  }

  async hasReached(position: string): Promise<boolean> {
    if (position === '') return false;
    const value = await this.#ask(
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

  async #ask(onMariadb: string, onMysql: string, values: string[] = []): Promise<unknown> {
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
