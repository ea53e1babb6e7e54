import { CallerGone, MysqlError, Unreachable, VitessError } from './errors.ts';
import { killStatement } from './kill.ts';
import { Link, type MysqlServer } from './link.ts';

/** A connection that is idle for this long is closed. */
const IDLE_MS = 30_000;

/** A connection that was used this recently is not asked whether it still works. */
const TRUSTED_MS = 1_000;
const ANSWER_MS = 1_000;

export interface PoolLimits {
  size: number;
  waitSeconds: number;
}

/** At most `size` connections to one server. A caller that waits longer than `waitSeconds` is refused. */
export class Pool {
  #idle: Link[] = [];
  #taken = new Set<Link>();
  #open = 0;
  #waiting: Array<(link: Link | undefined) => void> = [];
  #closed = false;

  constructor(
    readonly server: MysqlServer,
    readonly limits: PoolLimits,
    /** The text of the refusal, such as "transaction pool connection limit exceeded". */
    readonly refusal: string,
    readonly readOnly = false,
  ) {}

  get inUse(): number {
    return this.#open - this.#idle.length;
  }

  /**
   * A connection, which has to be given back. Rejects with Unreachable, with VitessError when all are in use, and with
   * CallerGone.
   */
  async take(gone: AbortSignal): Promise<Link> {
    const link = await this.#next(gone);
    this.#taken.add(link);
    return link;
  }

  async #next(gone: AbortSignal): Promise<Link> {
    if (this.#closed) throw new Unreachable('the gateway is stopping');
    const idle = await this.#takeIdle();
    if (idle) return idle;
    if (this.#open >= this.limits.size) {
      const handed = await this.#wait(gone);
      if (handed) return handed;
    } else {
      this.#open += 1;
    }
    try {
      return await Link.open(this.server, { readOnly: this.readOnly, gone });
    } catch (error) {
      this.#freeSlot();
      throw gone.aborted ? new CallerGone() : error;
    }
  }

  /**
   * A line may have been cut without a sign. A connection that was idle for a while has to answer, and when it does
   * not, the other idle ones are closed too: each would cost its caller the whole time that it waits.
   */
  async #takeIdle(): Promise<Link | undefined> {
    for (let link = this.#idle.pop(); link; link = this.#idle.pop()) {
      clearTimeout(link.idleTimer);
      if (performance.now() - link.idleSince > TRUSTED_MS && !(await link.answersWithin(ANSWER_MS))) {
        for (const other of this.#idle.splice(0)) {
          other.destroy();
          this.#freeSlot();
        }
      }
      if (!link.broken) return link;
      this.#freeSlot();
    }
    return undefined;
  }

  /** Takes a connection back. `reusable: false` closes it, because a statement left settings on it. */
  give(link: Link, { reusable = true } = {}): void {
    this.#taken.delete(link);
    if (!reusable || link.broken || this.#closed) {
      link.destroy();
      this.#freeSlot();
      return;
    }
    const next = this.#waiting.shift();
    if (next) {
      next(link);
      return;
    }
    link.idleSince = performance.now();
    link.idleTimer = setTimeout(() => {
      this.#idle.splice(this.#idle.indexOf(link), 1);
      link.destroy();
      this.#freeSlot();
    }, IDLE_MS).unref();
    this.#idle.push(link);
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const link of this.#idle.splice(0)) {
      link.destroy();
      this.#open -= 1;
    }
    const stopping = new MysqlError(1053, '08S01', 'Server shutdown in progress', true);
    await Promise.all([...this.#taken].map((link) => killStatement(link, stopping)));
  }

  /** A connection, or undefined when one was closed and the caller may open another in its place. */
  #wait(gone: AbortSignal): Promise<Link | undefined> {
    if (gone.aborted) return Promise.reject(new CallerGone());
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        gone.removeEventListener('abort', leave);
        act();
      };
      const waiter = (link: Link | undefined): void => settle(() => resolve(link));
      const refuse = (error: Error): void => {
        this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
        settle(() => reject(error));
      };
      const leave = (): void => refuse(new CallerGone());
      const timer = setTimeout(
        () => refuse(new VitessError('ResourceExhausted', this.refusal)),
        this.limits.waitSeconds * 1000,
      );
      gone.addEventListener('abort', leave);
      this.#waiting.push(waiter);
    });
  }

  #freeSlot(): void {
    const next = this.#waiting.shift();
    if (next) next(undefined);
    else this.#open -= 1;
  }
}
