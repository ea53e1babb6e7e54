import { randomInt } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'mysql2/promise';
import { lockDirectory } from './directory-lock.ts';
import { findMysql } from './engine-binary.ts';
import { assertSameFlavour, commonArguments, isDataDirectory, keptPassword, makeDataDirectory } from './mysql-data.ts';
import { spawnBound, startOnPort } from './process.ts';

export interface MysqlServer {
  kind: 'mysql';
  host: string;
  port: number;
  /** An administrator over TCP. It can write on a replica too, so the application needs another account. */
  user: string;
  password: string;
  version: string;
  source: string;
  flavour: 'mariadb' | 'mysql';
  /** 0 when the server is not a child of this process. */
  pid: number;
  /** Ends the server and keeps its data. A server of MYSQL_URL is not ended. */
  stop(): Promise<void>;
}

interface Source {
  host: string;
  port: number;
  user: string;
  password: string;
}

interface MysqlOptions {
  directory: string;
  port?: number;
  replicaOf?: Source;
  replicaDelaySeconds?: number;
  serverId?: number;
  /** true: commits survive a power cut, with one fsync for each commit. false: they survive a kill of the engine. */
  durable?: boolean;
  own?: boolean;
  log?: (line: string) => void;
}

const ADMINISTRATOR = 'miniapp_admin';
/** The default of MySQL 8. MariaDB's default is less strict. */
const SQL_MODE =
  'ONLY_FULL_GROUP_BY,STRICT_TRANS_TABLES,NO_ZERO_IN_DATE,NO_ZERO_DATE,ERROR_FOR_DIVISION_BY_ZERO,NO_ENGINE_SUBSTITUTION';

/** Uses the server of MYSQL_URL. Without MYSQL_URL, or with `own`, starts a server in `directory`. */
export async function startMysql(options: MysqlOptions): Promise<MysqlServer> {
  const { directory, log = () => {} } = options;
  const url = process.env.MYSQL_URL;
  if (url && !options.own && !options.replicaOf) return givenMysql(url, log);
  const binary = await findMysql(log);
  const flavour = binary.product === 'mariadb' ? 'mariadb' : 'mysql';
  const release = await lockDirectory(directory);
  // The path of a socket has at most about 100 bytes, so the socket is not in the data folder.
  const runDirectory = await mkdtemp(join(tmpdir().length > 60 ? '/tmp' : tmpdir(), 'miniapp-'));
  const cleanUp = async () => {
    await rm(runDirectory, { recursive: true, force: true });
    await release();
  };
  try {
    await assertSameFlavour(directory, flavour);
    const data = join(directory, 'data');
    if (!(await isDataDirectory(data))) await makeDataDirectory(binary, data);
    const password = await keptPassword(directory);
    const initFile = join(runDirectory, 'init.sql');
    await writeFile(initFile, initStatements(flavour, password, options).join('\n'), { mode: 0o600 });
    const args = [
      ...(await commonArguments(binary, data)),
      ...serverArguments(flavour, options),
      `--init-file=${initFile}`,
      `--socket=${join(runDirectory, 'sock')}`,
      `--pid-file=${join(runDirectory, 'pid')}`,
      `--tmpdir=${runDirectory}`,
    ];
    const { port, child } = await startOnPort({
      name: binary.product,
      port: options.port,
      spawn: (port) => spawnBound(binary.path, [...args, `--port=${port}`], { env: binary.env, runDirectory }),
      isReady: greets,
    });
    const login = { host: '127.0.0.1', port, user: ADMINISTRATOR, password };
    await versionOf(login).catch(async (error) => {
      await child.stop();
      throw new Error(`${binary.product} refused the login of its administrator: ${error.message}\n${child.output()}`);
    });
    await rm(initFile, { force: true });
    log(`${binary.product} ${binary.version} from ${binary.source} on 127.0.0.1:${port}`);
    const { version, source } = binary;
    return {
      kind: 'mysql',
      ...login,
      version,
      source,
      flavour,
      pid: child.pid,
      stop: () => child.stop().then(cleanUp),
    };
  } catch (error) {
    await cleanUp();
    throw error;
  }
}

function serverArguments(flavour: MysqlServer['flavour'], options: MysqlOptions): string[] {
  const args = [
    '--bind-address=127.0.0.1',
    '--skip-name-resolve',
    '--performance-schema=off',
    '--max-connections=200',
    '--max-allowed-packet=64M',
    '--local-infile=0',
    '--character-set-server=utf8mb4',
    '--default-time-zone=+00:00',
    `--sql-mode=${SQL_MODE}`,
    `--server-id=${options.serverId ?? (options.replicaOf ? randomInt(2, 2 ** 31) : 1)}`,
    '--log-bin=bin',
    '--relay-log=relay',
    `--innodb-buffer-pool-size=${options.durable ? '128M' : '32M'}`,
    `--innodb-flush-log-at-trx-commit=${options.durable ? 1 : 2}`,
    `--sync-binlog=${options.durable ? 1 : 0}`,
  ];
  // Tests create and drop thousands of tables: without files of their own that takes a quarter less time.
  if (!options.durable) args.push('--innodb-file-per-table=0');
  if (!options.durable && process.platform === 'linux') args.push('--innodb-flush-method=nosync');
  if (options.replicaOf) args.push('--read-only=1');
  if (flavour === 'mariadb') {
    // MariaDB's default utf8mb4_general_ci treats all emoji as equal. This collation does not, like MySQL 8.
    args.push('--collation-server=utf8mb4_unicode_520_ci', '--skip-slave-start', '--gtid-strict-mode=1');
    args.push(
      '--binlog-format=ROW',
      '--log-slave-updates=1',
      `--innodb-log-file-size=${options.durable ? '64M' : '4M'}`,
    );
  } else {
    args.push('--gtid-mode=ON', '--enforce-gtid-consistency=ON', '--loose-skip-replica-start');
    args.push('--loose-innodb-redo-log-capacity=64M', ...(options.durable ? [] : ['--innodb-doublewrite=OFF']));
  }
  return args;
}

/** One statement on each line. They are not in the binary log, because each server has its own accounts. */
function initStatements(flavour: MysqlServer['flavour'], password: string, options: MysqlOptions): string[] {
  const account = `${quote(ADMINISTRATOR)}@'127.0.0.1'`;
  const statements = [
    'SET sql_log_bin=0;',
    `CREATE USER IF NOT EXISTS ${account} IDENTIFIED BY ${quote(password)};`,
    `ALTER USER ${account} IDENTIFIED BY ${quote(password)};`,
    `GRANT ALL PRIVILEGES ON *.* TO ${account} WITH GRANT OPTION;`,
  ];
  if (flavour === 'mysql') statements.push("ALTER USER 'root'@'localhost' ACCOUNT LOCK;"); // it has no password
  const { replicaOf: source, replicaDelaySeconds: delay = 0 } = options;
  if (!source) return statements;
  const where = (prefix: string) =>
    `${prefix}_HOST=${quote(source.host)}, ${prefix}_PORT=${source.port}, ${prefix}_USER=${quote(source.user)}, ` +
    `${prefix}_PASSWORD=${quote(source.password)}, ${prefix}_CONNECT_RETRY=1, ${prefix}_DELAY=${delay}`;
  const replication =
    flavour === 'mariadb'
      ? ['STOP SLAVE;', `CHANGE MASTER TO ${where('MASTER')}, MASTER_USE_GTID=slave_pos;`, 'START SLAVE;']
      : [
          'STOP REPLICA;',
          `CHANGE REPLICATION SOURCE TO ${where('SOURCE')}, SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1;`,
          'START REPLICA;',
        ];
  return [...statements, ...replication];
}

const quote = (text: string) => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`;

/** The server sends its greeting after the init file has run. Byte 5 of the greeting is the protocol version, 10. */
function greets(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect({ host: '127.0.0.1', port });
    const finish = (answer: boolean) => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(1000, () => finish(false));
    socket.on('error', () => finish(false));
    socket.on('close', () => finish(false));
    socket.on('data', (chunk) => finish(chunk[4] === 10));
  });
}

async function versionOf(login: Source): Promise<string> {
  const connection = await createConnection(login);
  try {
    const [rows] =
      await connection.query<(import('mysql2').RowDataPacket & { version: string })[]>('SELECT VERSION() AS version');
    return rows[0]?.version ?? 'unknown';
  } finally {
    connection.destroy();
  }
}

async function givenMysql(url: string, log: (line: string) => void): Promise<MysqlServer> {
  const { hostname: host, port, username, password } = new URL(url);
  const login = {
    host,
    port: Number(port || 3306),
    user: decodeURIComponent(username),
    password: decodeURIComponent(password),
  };
  const version = await versionOf(login).catch(() => {
    throw new Error(`no MySQL answers at ${host}:${login.port} with the credentials of MYSQL_URL`);
  });
  log(`mysql ${version} from MYSQL_URL on ${host}:${login.port}`);
  const flavour = /mariadb/i.test(version) ? 'mariadb' : 'mysql';
  return { kind: 'mysql', ...login, version, source: 'env', flavour, pid: 0, stop: async () => {} };
}
