import { createConnection, type RowDataPacket } from 'mysql2/promise';
import type { MysqlServer } from './link.ts';

/** What a replica may be read for. `behindSeconds` is Infinity where nothing is known. */
export interface ReplicaState {
  server: string;
  takesReads: boolean;
  behindSeconds: number;
  /** For the operator: why it takes none. */
  reason?: string;
}

const CHECK_EVERY_MS = 1_000;
const CHECK_WITHIN_MS = 2_000;
/** A busy moment of ours is no failure of the replica; one that is away is passed over in any case. */
const SILENT_CHECKS = 3;

/**
 * Watches how far a replica is behind. One that is further behind than `maxLagSeconds`, has stopped applying, or does
 * not say, takes no reads: what it shows may be older than any writer has reason to expect. One that lost its primary
 * counts as behind since it was last up to date, which lets reads outlive the primary for a while.
 */
export class ReplicaHealth {
  #state: ReplicaState;
  /** When it was last connected to its primary, and how far behind it was then. */
  #lastSynced: { at: number; behindSeconds: number } | undefined;
  #timer: NodeJS.Timeout | undefined;
  #silent = 0;
  #closed = false;

  constructor(
    readonly replica: MysqlServer,
    readonly maxLagSeconds: number,
    readonly onChange: (state: ReplicaState) => void,
  ) {
    const server = `${replica.host}:${replica.port}`;
    this.#state = { server, takesReads: false, behindSeconds: Infinity, reason: 'not asked yet' };
  }

  get state(): ReplicaState {
    return this.#state;
  }

  async start(): Promise<void> {
    await this.#check();
    const next = () => {
      if (this.#closed) return;
      this.#timer = setTimeout(() => void this.#check().then(next), CHECK_EVERY_MS).unref();
    };
    next();
  }

  stop(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
  }

  async #check(): Promise<void> {
    const found = await this.#ask();
    const takesReads = found.reason === undefined && found.behindSeconds <= this.maxLagSeconds;
    const reason = found.reason ?? (takesReads ? undefined : `${Math.round(found.behindSeconds)} s behind`);
    const { server, takesReads: before } = this.#state;
    this.#state = { server, takesReads, behindSeconds: found.behindSeconds, ...(reason !== undefined && { reason }) };
    if (before !== takesReads && !this.#closed) this.onChange(this.#state);
  }

  async #ask(): Promise<{ behindSeconds: number; reason?: string }> {
    let status: ReplicationStatus[];
    try {
      status = await askStatus(this.replica);
      this.#silent = 0;
    } catch (error) {
      this.#silent += 1;
      if (this.#silent < SILENT_CHECKS && this.#lastSynced) return this.#sinceSynced(this.#lastSynced);
      const { errno, code = 'no answer' } = error as { errno?: number; code?: string };
      const reason = errno === 1227 ? 'the account may not see the replication status' : `does not answer (${code})`;
      return { behindSeconds: Infinity, reason };
    }
    if (status.length === 0) return { behindSeconds: Infinity, reason: 'is no replica' };
    if (status.some(({ applying }) => !applying)) return { behindSeconds: Infinity, reason: 'has stopped applying' };
    const behindSeconds = Math.max(...status.map((source) => source.behindSeconds ?? Infinity));
    if (status.every(({ receiving }) => receiving) && Number.isFinite(behindSeconds)) {
      this.#lastSynced = { at: performance.now(), behindSeconds };
      return { behindSeconds };
    }
    if (!this.#lastSynced) return { behindSeconds: Infinity, reason: 'has no connection to its primary' };
    return this.#sinceSynced(this.#lastSynced);
  }

  #sinceSynced({ at, behindSeconds }: { at: number; behindSeconds: number }): { behindSeconds: number } {
    return { behindSeconds: behindSeconds + (performance.now() - at) / 1000 };
  }
}

interface ReplicationStatus {
  receiving: boolean;
  applying: boolean;
  /** null: it does not know. */
  behindSeconds: number | null;
}

/** A connection of its own each time: what is asked is whether one can be had. */
async function askStatus({ host, port, user, password }: MysqlServer): Promise<ReplicationStatus[]> {
  const connection = await createConnection({ host, port, user, password, connectTimeout: CHECK_WITHIN_MS });
  try {
    const [rows] = await connection.query<RowDataPacket[]>({ sql: 'SHOW REPLICA STATUS', timeout: CHECK_WITHIN_MS });
    // MariaDB and MySQL give the columns different names.
    const named = (row: RowDataPacket, name: RegExp): unknown =>
      Object.entries(row).find(([column]) => name.test(column))?.[1];
    return rows.map((row) => {
      const behind = named(row, /^Seconds_Behind_(Master|Source)$/);
      return {
        receiving: named(row, /^(Slave|Replica)_IO_Running$/) === 'Yes',
        applying: named(row, /^(Slave|Replica)_SQL_Running$/) === 'Yes',
        behindSeconds: behind === null || behind === undefined ? null : Number(behind),
      };
    });
  } finally {
    connection.destroy();
  }
}
