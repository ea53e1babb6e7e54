import { setTimeout as sleep } from 'node:timers/promises';
import { NEVER_GONE } from '../caller.ts';
import { MysqlError, Unreachable, VitessError, vitessText } from './errors.ts';
import { GRACE_MS, withinLimits } from './limits.ts';
import type { Link, MysqlServer, ServerAnswer } from './link.ts';
import { Pool, type PoolLimits } from './pool.ts';
import { type ReplicaState, ReplicaWatch } from './replica-watch.ts';
import { leaveTransaction, type TabletType, tabletOf, type VitessSession } from './session.ts';
import { readStatement, type Statement } from './statement.ts';
import { Transactions } from './transactions.ts';
import { recordAnswer, refuseUnsupported, runOn } from './vitess-rules.ts';
import type { WireResult } from './wire.ts';

/** Vitess' time limits for a statement outside a transaction. A transaction has a limit of its own. */
const WRITE_SECONDS = 30;
const READ_SECONDS = 900;
const READY_WITHIN_MS = 2_000;

export interface GatewayUser {
  username: string;
  tablet: TabletType;
}

/** A statement, its session, and who waits for the answer. `gone` aborts when nobody does any more. */
interface Call {
  user: GatewayUser;
  session: VitessSession;
  statement: Statement;
  gone: AbortSignal;
}

type StatementResult = { result: WireResult } | { error: string };

/** Runs statements on the server that the session's target names, and updates the session as Vitess does. */
export class Executor {
  #pools: Record<TabletType, { queries: Pool[]; transactions: Pool[] }>;
  #turn = 0;
  #watch: ReplicaWatch | undefined;
  readonly transactions: Transactions;

  constructor(
    readonly primary: MysqlServer,
    replicas: MysqlServer[],
    limits: PoolLimits & { transactionSeconds: number },
    watch: { maxLagSeconds: number; onChange(state: ReplicaState): void } | undefined,
  ) {
    const pools = (servers: MysqlServer[], refusal: string, readOnly: boolean): Pool[] =>
      servers.map((server) => new Pool(server, limits, refusal, readOnly));
    const both = (servers: MysqlServer[], readOnly: boolean) => ({
      queries: pools(servers, 'query pool timeout', readOnly),
      transactions: pools(servers, 'transaction pool connection limit exceeded', readOnly),
    });
    this.#pools = { primary: both([primary], false), replica: both(replicas, true) };
    if (watch && replicas.length > 0) {
      this.#watch = new ReplicaWatch(primary, replicas, watch.maxLagSeconds, watch.onChange);
    }
    this.transactions = new Transactions(limits.transactionSeconds);
  }

  /** Resolves after the first check of the replicas. Watched replicas take no reads before it. */
  async start(): Promise<void> {
    await this.#watch?.start();
  }

  /** Empty when the replicas are not watched. */
  get replicas(): ReplicaState[] {
    return this.#watch?.states ?? [];
  }

  async isPrimaryReady(): Promise<boolean> {
    const [pool] = this.#pools.primary.queries;
    if (!pool) return false;
    try {
      const link = await pool.take(NEVER_GONE);
      const asked = link.run('DO 0').then(
        () => true,
        () => false,
      );
      const late = sleep(READY_WITHIN_MS, false, { ref: false });
      const ready = await Promise.race([asked, late]);
      pool.give(link, { reusable: ready });
      return ready;
    } catch {
      return false;
    }
  }

  get connectionsInUse(): number {
    return this.#allPools().reduce((sum, pool) => sum + pool.inUse, 0);
  }

  /**
   * Errors of MySQL and Vitess are returned as `error`. It changes `session`, also when the statement fails. Throws
   * Unreachable when no server could be reached; nothing was executed then. When `gone` aborts, the statement ends;
   * then it throws CallerGone or returns an error.
   */
  async execute(user: GatewayUser, session: VitessSession, sql: string, gone: AbortSignal): Promise<StatementResult> {
    const statement = readStatement(sql);
    const tablet = tabletOf(session);
    try {
      const result = await this.#perform({ user, session, statement, gone });
      return { result };
    } catch (error) {
      if (!(error instanceof MysqlError || error instanceof VitessError)) throw error;
      const database = this.primary.database;
      return { error: vitessText(error, { database, tablet, caller: user.username, statement }) };
    }
  }

  /** Kills the statements that still run, because no client is connected any more. */
  async close(): Promise<void> {
    this.#watch?.stop();
    this.transactions.closeAll();
    await Promise.all(this.#allPools().map((pool) => pool.close()));
  }

  async #perform(call: Call): Promise<WireResult> {
    const { user, session, statement } = call;
    refuseUnsupported(session, statement);
    switch (statement.kind) {
      case 'begin':
        // MySQL and Vitess commit the open transaction when another one begins.
        if (session.inTransaction) await this.#finish(call, 'COMMIT');
        session.inTransaction = true;
        session.transactionAccessMode = statement.bare.replace(/^(begin( work)?|start transaction)\s*;?/i, '').trim();
        return {};
      case 'commit':
        await this.#finish(call, 'COMMIT');
        return {};
      case 'rollback':
        await this.#finish(call, 'ROLLBACK');
        return {};
      case 'use':
        this.#setTarget(user, session, statement);
        return {};
      case 'definition':
        if (session.inTransaction) await this.#finish(call, 'COMMIT');
        break;
      default:
    }
    const answer = session.inTransaction ? await this.#runInTransaction(call) : await this.#runAlone(call);
    return recordAnswer(session, answer);
  }

  async #runAlone({ session, statement, gone }: Call): Promise<ServerAnswer> {
    const { link, pool } = await this.#take(tabletOf(session), gone);
    const reads = statement.kind === 'read';
    const limits = { gone, graceMs: reads ? 0 : GRACE_MS, seconds: reads ? READ_SECONDS : WRITE_SECONDS };
    try {
      return await withinLimits(link, limits, () => runOn(link, session, statement));
    } finally {
      pool.give(link, { reusable: !statement.leavesTraces });
    }
  }

  /**
   * The first statement opens the transaction, and the client learns its id from the returned session. When a client
   * sends two first statements at the same time, two transactions open and it loses one. PlanetScale does the same, so
   * tests have to show it.
   */
  async #runInTransaction({ session, statement, gone }: Call): Promise<ServerAnswer> {
    const tablet = tabletOf(session);
    const opens = session.shardSessions === undefined;
    if (!session.shardSessions) {
      const mode = tablet === 'replica' ? 'READ ONLY' : (session.transactionAccessMode ?? '');
      const transactionId = await this.#openTransaction(tablet, mode, gone);
      session.shardSessions = [
        {
          target: {
            keyspace: this.primary.database,
            shard: '-',
            tabletType: tablet === 'primary' ? 'PRIMARY' : 'REPLICA',
          },
          transactionId,
          tabletAlias: { cell: 'local', uid: tablet === 'primary' ? 100 : 101 },
        },
      ];
    }
    const id = session.shardSessions[0]?.transactionId ?? '';
    const { leavesTraces } = statement;
    try {
      return await this.transactions.run(id, (link) => runOn(link, session, statement), { leavesTraces, gone });
    } finally {
      // The caller does not know the id, so nobody else can end the transaction.
      if (opens && gone.aborted) this.transactions.abandon(id);
    }
  }

  async #openTransaction(tablet: TabletType, accessMode: string, gone: AbortSignal): Promise<string> {
    const begin = `START TRANSACTION ${accessMode}`;
    return this.#inTurn(this.#pools[tablet].transactions, (pool) => this.transactions.open(pool, begin, gone), tablet);
  }

  #take(tablet: TabletType, gone: AbortSignal): Promise<{ link: Link; pool: Pool }> {
    return this.#inTurn(this.#pools[tablet].queries, async (pool) => ({ link: await pool.take(gone), pool }), tablet);
  }

  /** Round robin. Skips servers that cannot be reached and replicas that take no reads. Throws Unreachable. */
  async #inTurn<T>(pools: Pool[], attempt: (pool: Pool) => Promise<T>, tablet: TabletType): Promise<T> {
    this.#turn += 1;
    const states = tablet === 'replica' ? this.replicas : [];
    let last: Unreachable | undefined;
    for (let offset = 0; offset < pools.length; offset += 1) {
      const index = (this.#turn + offset) % pools.length;
      const pool = pools[index];
      if (states[index]?.takesReads === false) continue;
      try {
        if (pool) return await attempt(pool);
      } catch (error) {
        if (!(error instanceof Unreachable)) throw error;
        last = error;
      }
    }
    const healthy = `no healthy tablet available for 'keyspace:"${this.primary.database}" shard:"-" tablet_type:${tablet.toUpperCase()}'`;
    throw new Unreachable(`target: ${this.primary.database}.-.${tablet}: ${healthy}`, { cause: last?.cause });
  }

  /** The session leaves its transaction even when this fails, so that a ROLLBACK after a failed COMMIT succeeds. */
  async #finish({ session, gone }: Call, verb: 'COMMIT' | 'ROLLBACK'): Promise<void> {
    const id = session.shardSessions?.[0]?.transactionId;
    leaveTransaction(session);
    if (id !== undefined) await this.transactions.finish(id, verb, gone);
  }

  /** `USE database@tablet`. */
  #setTarget(caller: GatewayUser, session: VitessSession, statement: Statement): void {
    const [, quoted, tablet] = /^use\s+(`[^`]*`|[\w-]*)(?:@(\w+))?\s*;?$/i.exec(statement.bare) ?? [];
    const name = quoted?.replaceAll('`', '');
    if (name && name !== this.primary.database)
      throw new VitessError(undefined, `VT05003: unknown database '${name}' in vschema`);
    if (tablet && tablet !== 'primary' && tablet !== 'replica') {
      throw new VitessError(undefined, `VT05006: unknown tablet type '${tablet}'`);
    }
    if (session.inTransaction) {
      throw new VitessError(undefined, 'can not change the target in the middle of a transaction');
    }
    if (caller.tablet === 'replica' && tablet === 'primary') {
      throw new VitessError(undefined, 'these credentials may use replicas only');
    }
    session.targetString = `${name ?? ''}@${tablet ?? caller.tablet}`;
  }

  #allPools(): Pool[] {
    return Object.values(this.#pools).flatMap(({ queries, transactions }) => [...queries, ...transactions]);
  }
}
