import type { Redis } from 'ioredis';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import type { GatewayFault } from '../../gateway/faults.ts';
import type { OwnResource } from '../../shared/data/own-records.ts';
import { Interleaving } from './interleaving.ts';
import { differs, type ModelRow, type State, VIEWS, type View } from './list-model.ts';

/**
 * One run of actors at the lists of a table. It records each state of the table, because at a switch point nobody else
 * moves.
 */
export class ListRun {
  readonly schedule: Interleaving;
  readonly history: State[] = [[]];
  /** For each list the last state whose write was answered, or swept. No later reader may get an older one. */
  private readonly oldest = new Map<View, number>();
  /** The lists that are read. */
  views: readonly View[] = VIEWS;
  /** What went wrong. */
  readonly wrong: string[] = [];
  /** How many pages were compared with the states of the table. */
  reads = 0;
  private marks = 0;
  /** A transaction holds row locks: other writers wait for it before they send their statement. */
  private locked = false;
  private mayHaveChanged = false;

  constructor(
    readonly seed: number,
    readonly resource: OwnResource,
    readonly redis: Redis,
    readonly mysql: Connection,
    readonly replica: Connection | undefined,
  ) {
    this.schedule = new Interleaving(seed, () => {});
  }

  get now(): number {
    return this.history.length - 1;
  }

  get state(): State {
    return this.history[this.now] as State;
  }

  newMark(): number {
    return ++this.marks;
  }

  /** A number from 0 to below `count`. */
  draw(count: number): number {
    return Math.floor(this.schedule.random() * count);
  }

  pick<T>(values: readonly T[]): T {
    return values[this.draw(values.length)] as T;
  }

  /** The first state from index `from` on that meets the condition has the write that was answered. */
  answered(from: number, holds: (state: State) => boolean): void {
    const at = this.history.findIndex((state, index) => index >= from && holds(state));
    if (at < 0) this.wrong.push('a write was answered and is not in the table');
    else this.raise(at);
  }

  /** All writes up to this state were swept. */
  swept(upTo: number): void {
    for (let at = 1; at <= upTo; at++) this.raise(at);
  }

  private raise(at: number): void {
    const [before, after] = [this.history[at - 1] ?? [], this.history[at] as State];
    for (const view of VIEWS.filter((view) => differs(view, before, after))) {
      this.oldest.set(view, Math.max(this.oldestOf(view), at));
    }
  }

  /** Index of the oldest state of this list that a reader may get who begins now. */
  oldestOf(view: View): number {
    return this.oldest.get(view) ?? 0;
  }

  holdRedis(): GatewayFault {
    return {
      kind: 'hold',
      before: async () => {
        await this.look();
        return this.schedule.turn(true);
      },
      after: async () => void (await this.schedule.turn()),
    };
  }

  holdMysql(sql: string): GatewayFault {
    const locks = /^SELECT[\s\S]*FOR UPDATE$/.test(sql);
    const writes = /^(INSERT|UPDATE|DELETE)/.test(sql);
    const inTransaction = writes && isOfOperator(sql);
    return {
      kind: 'hold',
      before: async () => {
        const fault = await this.schedule.turn(!locks && !inTransaction);
        if (locks || (writes && !inTransaction)) await this.unlocked();
        this.locked ||= locks || inTransaction;
        this.mayHaveChanged ||= writes;
        return fault;
      },
      after: async () => {
        await this.look();
        await this.schedule.turn();
        // Its COMMIT follows before anyone else moves.
        if (inTransaction) this.locked = false;
      },
    };
  }

  /** Waits for its turn until no transaction holds locks. */
  async unlocked(): Promise<void> {
    while (this.locked) await this.schedule.turn();
  }

  /** A transaction ended without its write. */
  rolledBack(): void {
    this.locked = false;
  }

  /** A statement of another tool, which deletes nothing from the cache. */
  async execute(sql: string, values: readonly unknown[]): Promise<void> {
    await this.schedule.turn();
    await this.unlocked();
    await this.mysql.query(sql, [...values]);
    this.mayHaveChanged = true;
    await this.look();
    await this.schedule.turn();
  }

  /** A row that another tool inserts. */
  insert(row: ModelRow): Promise<void> {
    return this.execute(this.insertStatement, [[valuesOf(row)]]);
  }

  private get insertStatement(): string {
    const columns = 'id, user_id, group_id, position, mark, version';
    return `INSERT INTO ${this.resource.table} (${columns}) VALUES ?`;
  }

  /** The table as it was in a former state. */
  async restore(state: State): Promise<void> {
    await this.mysql.query(`DELETE FROM ${this.resource.table}`);
    if (state.length > 0) await this.mysql.query(this.insertStatement, [state.map(valuesOf)]);
    this.mayHaveChanged = true;
    await this.look();
  }

  /** Records the state of the table if it has changed. */
  async look(): Promise<void> {
    if (!this.mayHaveChanged) return;
    if (!this.locked) this.mayHaveChanged = false;
    const state = await this.read(this.mysql);
    if (JSON.stringify(state) !== JSON.stringify(this.state)) this.history.push(state);
  }

  /** Brings the replica up to date. */
  async replicate(): Promise<void> {
    const { replica } = this;
    if (!replica) return;
    const { table } = this.resource;
    const [rows] = await this.mysql.query<RowDataPacket[]>(`SELECT * FROM ${table}`);
    await replica.query(`DELETE FROM ${table}`);
    for (const row of rows) await replica.query(`INSERT INTO ${table} SET ?`, [row]);
  }

  private async read(mysql: Connection): Promise<State> {
    const [rows] = await mysql.query<RowDataPacket[]>(
      `SELECT id, user_id, group_id, position, mark, version FROM ${this.resource.table} WHERE deleted_at IS NULL ORDER BY id`,
    );
    return rows.map(
      (row): ModelRow => ({
        id: String(row.id),
        userId: row.user_id,
        groupId: row.group_id,
        rank: row.position,
        mark: row.mark,
        version: row.version,
      }),
    );
  }
}

const valuesOf = ({ id, userId, groupId, rank, mark, version }: ModelRow) => [id, userId, groupId, rank, mark, version];

/** Operators write in a transaction; the statements of owners have their conditions inside. */
const isOfOperator = (sql: string): boolean =>
  !/^INSERT[\s\S]*SELECT/.test(sql) && !/^UPDATE[\s\S]* AND (user_id|group_id|version) = /.test(sql);
