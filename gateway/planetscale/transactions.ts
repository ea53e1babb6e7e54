import { MysqlError, VitessError } from './errors.ts';
import type { Link, ServerAnswer } from './link.ts';
import type { Pool } from './pool.ts';

interface Transaction {
  id: string;
  link: Link;
  pool: Pool;
  busy: boolean;
  /** False after a statement whose traces must not reach the next user of the connection. */
  reusable: boolean;
  timer: NodeJS.Timeout;
}

/** How many ended transactions are remembered, so that late callers learn why theirs is gone. */
const REMEMBERED = 1000;

/** Open transactions, each on its own connection, found by the id that the client's session carries. */
export class Transactions {
  #open = new Map<string, Transaction>();
  #ended = new Map<string, string>();
  #lastId = 0n;

  constructor(readonly limitSeconds: number) {}

  get size(): number {
    return this.#open.size;
  }

  /** The new transaction's id. `begin`: "START TRANSACTION" with its access mode. */
  async open(pool: Pool, begin: string): Promise<string> {
    const link = await pool.take();
    try {
      await link.run(begin);
    } catch (error) {
      pool.give(link, { reusable: false });
      throw error;
    }
    const id = this.#nextId();
    const timer = setTimeout(() => this.#expire(id), this.limitSeconds * 1000);
    this.#open.set(id, { id, link, pool, busy: false, reusable: true, timer });
    return id;
  }

  /**
   * One statement at a time: a second one is refused, as Vitess does. When MySQL rolled the transaction back by itself
   * (a deadlock), the connection is kept but takes nothing more than ROLLBACK, since MySQL would quietly start a new
   * transaction with the next statement.
   */
  async run(id: string, work: (link: Link) => Promise<ServerAnswer>, leavesTraces: boolean): Promise<ServerAnswer> {
    const transaction = this.#find(id);
    const undone = this.#ended.get(id);
    if (undone !== undefined) throw new VitessError('Aborted', undone);
    transaction.busy = true;
    if (leavesTraces) transaction.reusable = false;
    try {
      return await work(transaction.link);
    } catch (error) {
      if (transaction.link.broken) this.#close(transaction, 'connection lost');
      else if (!(await this.#stillOpen(transaction))) this.#remember(id, 'rolled back by the server');
      throw error;
    } finally {
      transaction.busy = false;
    }
  }

  /** A COMMIT of what the server has rolled back is refused; a ROLLBACK of it succeeds. */
  async finish(id: string, verb: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    const transaction = this.#find(id);
    const undone = this.#ended.get(id);
    transaction.busy = true;
    clearTimeout(transaction.timer);
    try {
      await transaction.link.run(undone === undefined ? verb : 'ROLLBACK');
    } catch (error) {
      transaction.reusable = false;
      throw error;
    } finally {
      this.#close(transaction, verb === 'COMMIT' ? 'transaction committed' : 'transaction rolled back');
    }
    if (undone !== undefined && verb === 'COMMIT') throw new VitessError('Aborted', undone);
  }

  /** MySQL rolls back what a closed connection left open. */
  closeAll(): void {
    for (const transaction of this.#open.values()) {
      transaction.reusable = false;
      this.#close(transaction, 'gateway stopped');
    }
  }

  #find(id: string): Transaction {
    const transaction = this.#open.get(id);
    if (transaction?.busy) throw new VitessError('Aborted', `transaction ${id}: in use: for query`);
    if (transaction) return transaction;
    throw new VitessError('Aborted', this.#ended.get(id) ?? `transaction ${id}: not found`);
  }

  async #stillOpen({ link }: Transaction): Promise<boolean> {
    try {
      return (await link.run('DO 0')).inTransaction;
    } catch {
      return false;
    }
  }

  #expire(id: string): void {
    const transaction = this.#open.get(id);
    if (!transaction) return;
    const why = `exceeded timeout: ${this.limitSeconds}s`;
    const { busy, link } = transaction;
    transaction.reusable = false;
    if (busy) {
      void link.kill(new MysqlError(2013, 'HY000', `transaction ${id}: ${why}, killing query`, true));
    }
    this.#close(transaction, why);
  }

  #close(transaction: Transaction, why: string): void {
    clearTimeout(transaction.timer);
    if (!this.#open.delete(transaction.id)) return;
    this.#remember(transaction.id, why);
    transaction.pool.give(transaction.link, { reusable: transaction.reusable });
  }

  #remember(id: string, why: string): void {
    const at = new Date().toISOString().replace('T', ' ').replace('Z', ' UTC');
    this.#ended.set(id, `transaction ${id}: ended at ${at} (${why})`);
    const oldest = this.#ended.keys().next().value;
    if (this.#ended.size > REMEMBERED && oldest !== undefined) this.#ended.delete(oldest);
  }

  #nextId(): string {
    const now = BigInt(Date.now()) * 1_000_000n;
    this.#lastId = now > this.#lastId ? now : this.#lastId + 1n;
    return this.#lastId.toString();
  }
}
