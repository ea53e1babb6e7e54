import { CallerGone, MysqlError, VitessError } from './errors.ts';
import { killStatement } from './kill.ts';
import { GRACE_MS, withinLimits } from './limits.ts';
import type { Link, ServerAnswer } from './link.ts';
import type { Pool } from './pool.ts';

interface Transaction {
  id: string;
  link: Link;
  pool: Pool;
  busy: boolean;
  /** False after a statement that set variables on the connection. */
  reusable: boolean;
  timer: NodeJS.Timeout;
}

/** For BEGIN, COMMIT and ROLLBACK. */
const CONTROL_SECONDS = 30;
/** How many ended transactions are remembered. A late caller gets the reason why its transaction ended. */
const REMEMBERED = 1000;

/** The open transactions. Each has its own connection and is found by the id in the client's session. */
export class Transactions {
  #open = new Map<string, Transaction>();
  #ended = new Map<string, string>();
  #lastId = 0n;

  constructor(readonly limitSeconds: number) {}

  get size(): number {
    return this.#open.size;
  }

  /** Returns the id of the new transaction. `begin` is "START TRANSACTION" with its access mode. */
  async open(pool: Pool, begin: string, gone: AbortSignal): Promise<string> {
    const link = await pool.take(gone);
    try {
      await withinLimits(link, { gone, seconds: CONTROL_SECONDS }, () => link.run(begin));
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
   * Runs one statement. A second one at the same time is refused with VitessError, as Vitess does. When MySQL has
   * rolled the transaction back by itself (a deadlock), only ROLLBACK is accepted: with the next statement MySQL would
   * start a new transaction without an error. When the caller disconnects, the transaction is rolled back.
   */
  async run(
    id: string,
    work: (link: Link) => Promise<ServerAnswer>,
    { leavesTraces, gone }: { leavesTraces: boolean; gone: AbortSignal },
  ): Promise<ServerAnswer> {
    const transaction = this.#find(id);
    const undone = this.#ended.get(id);
    if (undone !== undefined) throw new VitessError('Aborted', undone);
    transaction.busy = true;
    if (leavesTraces) transaction.reusable = false;
    const { link } = transaction;
    try {
      return await withinLimits(link, { gone }, () => work(link));
    } catch (error) {
      if (error instanceof CallerGone) throw error;
      const isOpen = !link.broken && (await this.#stillOpen(link, gone));
      if (link.broken) this.#close(transaction, gone.aborted ? 'caller disconnected' : 'connection lost');
      else if (!isOpen) this.#remember(id, 'rolled back by the server');
      throw error;
    } finally {
      transaction.busy = false;
    }
  }

  /** When MySQL has rolled the transaction back by itself, ROLLBACK succeeds and COMMIT throws VitessError. */
  async finish(id: string, verb: 'COMMIT' | 'ROLLBACK', gone: AbortSignal): Promise<void> {
    const transaction = this.#find(id);
    const undone = this.#ended.get(id);
    transaction.busy = true;
    clearTimeout(transaction.timer);
    try {
      const limits = { gone, graceMs: GRACE_MS, always: true, seconds: CONTROL_SECONDS };
      await withinLimits(transaction.link, limits, () =>
        transaction.link.run(undone === undefined ? verb : 'ROLLBACK'),
      );
    } catch (error) {
      transaction.reusable = false;
      throw error;
    } finally {
      this.#close(transaction, verb === 'COMMIT' ? 'transaction committed' : 'transaction rolled back');
    }
    if (undone !== undefined && verb === 'COMMIT') throw new VitessError('Aborted', undone);
  }

  /** Rolls a transaction back that nobody can end any more. */
  abandon(id: string): void {
    const transaction = this.#open.get(id);
    if (!transaction) return;
    transaction.reusable = false;
    this.#close(transaction, 'caller disconnected');
  }

  /** Closes the connections; MySQL then rolls their transactions back. */
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

  async #stillOpen(link: Link, gone: AbortSignal): Promise<boolean> {
    try {
      return (await withinLimits(link, { gone }, () => link.run('DO 0'))).inTransaction;
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
      void killStatement(link, new MysqlError(2013, 'HY000', `transaction ${id}: ${why}, killing query`, true));
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
