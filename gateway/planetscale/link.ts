import { connect, type Socket } from 'node:net';
import { type Connection, createConnection } from 'mysql2';
import { NEVER_GONE } from '../caller.ts';
import { MysqlError, Unreachable, VitessError } from './errors.ts';
import { type Column, type WireField, type WireRow, wireField, wireRow } from './wire.ts';

export interface MysqlServer {
  host: string;
  port: number;
  user: string;
  password: string;
  database: string;
}

export interface ServerAnswer {
  /** Absent when the statement has no result set. */
  fields?: WireField[];
  rows: WireRow[];
  affectedRows: number;
  insertId: string;
  /** From the server status of the answer. Only set after statements without a result set. */
  inTransaction: boolean;
}

const MAX_ROWS = 100_000;
const MAX_RESULT_BYTES = 64 * 1024 * 1024;

/** For the connection with its login and its settings. */
const CONNECT_MS = 3_000;
const SERVER_STATUS_IN_TRANS = 1;
const SETTINGS = [
  'SET NAMES utf8mb4',
  `SET time_zone = '+00:00', autocommit = 1, sql_select_limit = ${MAX_ROWS + 1}, sql_mode = 'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION'`,
];

/** One connection to MySQL with PlanetScale's settings. */
export class Link {
  #socket: Socket;
  #connection: Connection;
  #failRunning: ((error: MysqlError) => void) | undefined;
  #connected = false;
  broken = false;
  idleTimer: NodeJS.Timeout | undefined;
  idleSince = 0;

  private constructor(readonly server: MysqlServer) {
    const { host, port, user, password, database } = server;
    this.#socket = connect({ host, port, noDelay: true, keepAlive: true });
    this.#connection = createConnection({
      stream: this.#socket,
      user,
      password,
      database,
      charset: 'utf8mb4',
      timezone: 'Z',
      dateStrings: true,
      supportBigNumbers: true,
      bigNumberStrings: true,
      connectTimeout: CONNECT_MS,
      // FOUND_ROWS stays on, as on PlanetScale: an UPDATE counts the rows that it matched, not only those it changed.
      flags: ['-LOCAL_FILES', '-IGNORE_SPACE'],
    });
    const lost = (): void => {
      // Before that, `#connect` gets the reason.
      if (this.#connected) this.abandon(lostConnection());
    };
    this.#connection.on('error', lost);
    this.#connection.on('end', lost);
  }

  /**
   * Rejects with Unreachable, whose cause is the error of the MySQL client, within 3 s, or as soon as the caller has
   * gone.
   */
  static async open(server: MysqlServer, { readOnly = false, gone = NEVER_GONE }: LinkOptions = {}): Promise<Link> {
    const link = new Link(server);
    const abandon = (): void => link.abandon(lostConnection());
    const late = setTimeout(abandon, CONNECT_MS);
    gone.addEventListener('abort', abandon);
    try {
      await link.#connect();
      link.#connected = true;
      for (const setting of SETTINGS) await link.run(setting);
      // The gateway already refuses writes. This protects a replica that is not read-only from a write it did not
      // detect.
      if (readOnly) await link.run('SET SESSION TRANSACTION READ ONLY');
      return link;
    } catch (cause) {
      link.destroy();
      throw new Unreachable('no connection to MySQL', { cause });
    } finally {
      clearTimeout(late);
      gone.removeEventListener('abort', abandon);
    }
  }

  /** The server's number of this connection. null before the login. */
  get thread(): number | null {
    return this.#connection.threadId;
  }

  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#failRunning = reject;
      this.#connection.connect((error) => (error ? reject(error) : resolve()));
    });
  }

  /**
   * Values are the bytes of MySQL's text protocol. A result over the limits of PlanetScale is read to its end, so that
   * the connection stays usable, and rejected. Rejects with MysqlError or VitessError.
   */
  run(sql: string): Promise<ServerAnswer> {
    if (this.broken) return Promise.reject(new MysqlError(2006, 'HY000', 'MySQL server has gone away', true));
    return new Promise((resolve, reject) => {
      const answer: ServerAnswer = { rows: [], affectedRows: 0, insertId: '0', inTransaction: false };
      let failure: MysqlError | VitessError | undefined;
      let bytes = 0;
      const settle = (act: () => void): void => {
        this.#failRunning = undefined;
        act();
      };
      this.#failRunning = (error) => settle(() => reject(error));
      const query = this.#connection.query({ sql, rowsAsArray: true, typeCast: (value) => value.buffer() });
      query.on('error', (error) => {
        const { errno, sqlState, sqlMessage, message } = error as Partial<EngineRefusal> & Error;
        if (errno === undefined || sqlState === undefined) return this.#connection.emit('error', error);
        failure ??= new MysqlError(errno, sqlState, sqlMessage ?? message);
        return undefined;
      });
      query.on('fields', (columns: Column[] | undefined) => {
        if (columns) answer.fields = columns.map(wireField);
      });
      query.on('result', (row: Array<Buffer | null> | OkPacket) => {
        if (!Array.isArray(row)) {
          answer.affectedRows = row.affectedRows;
          answer.insertId = BigInt.asUintN(64, BigInt(row.insertId)).toString();
          answer.inTransaction = (row.serverStatus & SERVER_STATUS_IN_TRANS) !== 0;
          return;
        }
        if (failure) return;
        for (const value of row) bytes += value?.length ?? 0;
        if (answer.rows.length >= MAX_ROWS) {
          failure = new MysqlError(10001, 'HY000', `Row count exceeded ${MAX_ROWS}`);
        } else if (bytes > MAX_RESULT_BYTES) {
          failure = new VitessError(
            'ResourceExhausted',
            `grpc: trying to send message larger than max (${bytes} vs. ${MAX_RESULT_BYTES})`,
          );
        } else {
          answer.rows.push(wireRow(row));
          return;
        }
        answer.rows = [];
      });
      query.on('end', () => settle(() => (failure ? reject(failure) : resolve(answer))));
    });
  }

  /** Asks the server. A connection that does not answer is closed. */
  async answersWithin(ms: number): Promise<boolean> {
    const late = setTimeout(() => this.abandon(lostConnection()), ms);
    await this.run('DO 0').catch(() => this.destroy());
    clearTimeout(late);
    return !this.broken;
  }

  destroy(): void {
    this.broken = true;
    clearTimeout(this.idleTimer);
    this.#connection.destroy();
    // mysql2 only ends its side, and a server that does not answer never ends the other one.
    this.#socket.destroy();
  }

  /** Closes the connection; a running statement fails with `why`. The server may not notice it: see `killStatement`. */
  abandon(why: MysqlError): void {
    this.destroy();
    this.#failRunning?.(why);
  }
}

interface LinkOptions {
  readOnly?: boolean;
  /** Aborts when the caller has gone. */
  gone?: AbortSignal;
}

const lostConnection = (): MysqlError =>
  new MysqlError(2013, 'HY000', 'Lost connection to MySQL server during query', true);

interface EngineRefusal {
  errno: number;
  sqlState: string;
  sqlMessage: string;
}

interface OkPacket {
  affectedRows: number;
  insertId: number | string;
  serverStatus: number;
}

/**
 * undefined: the login works. Otherwise the reason, for the operator, as a sentence without its full stop and without
 * credentials.
 */
export async function whyUnreachable(server: MysqlServer): Promise<string | undefined> {
  try {
    const link = await Link.open(server);
    link.destroy();
    return undefined;
  } catch (error) {
    const code = ((error as Unreachable).cause as { code?: string } | undefined)?.code ?? 'no MySQL protocol';
    const where = `${server.host}:${server.port}`;
    if (code === 'ER_ACCESS_DENIED_ERROR') return `MySQL at ${where} refuses the user or the password`;
    if (code === 'ER_BAD_DB_ERROR' || code === 'ER_DBACCESS_DENIED_ERROR') {
      return `MySQL at ${where} has no database ${server.database} for this user`;
    }
    return `no MySQL answers at ${where} (${code})`;
  }
}
