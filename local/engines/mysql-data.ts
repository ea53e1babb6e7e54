import { randomBytes } from 'node:crypto';
import { constants, cp, mkdir, mkdtemp, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type EngineBinary, engineCache } from './engine-binary.ts';
import { run } from './process.ts';

/** Flags for both: creating a data directory, and running the server on it. */
export async function commonArguments(binary: EngineBinary, dataDirectory: string): Promise<string[]> {
  const args = ['--no-defaults', `--datadir=${dataDirectory}`, `--basedir=${dirname(dirname(binary.path))}`];
  if (process.getuid?.() === 0) args.push('--user=root');
  if (binary.product === 'mariadb') {
    const share = await shareDirectory(binary);
    args.push(`--lc-messages-dir=${join(share, 'english')}`, `--character-sets-dir=${join(share, 'charsets')}`);
  } else {
    args.push('--secure-file-priv=NULL', '--loose-mysqlx=OFF');
  }
  // Containers often forbid io_uring and limit aio.
  args.push('--innodb-use-native-aio=0');
  return args;
}

/**
 * Creates a data directory at `target`. This takes 0.3 s (MariaDB) to 3 s (MySQL), a copy takes some milliseconds. So
 * the first one is kept as a template beside the engine cache, if that is writable.
 */
export async function makeDataDirectory(binary: EngineBinary, target: string): Promise<void> {
  const draft = `${target}.draft`; // renamed when complete, so that an interrupted run leaves no part of a directory
  await rm(draft, { recursive: true, force: true });
  const template = await findTemplate(binary);
  if (template === null) await createDataDirectory(binary, draft);
  else await cp(template, draft, { recursive: true, mode: constants.COPYFILE_FICLONE });
  // auto.cnf has the identity of a MySQL server. Two servers with the same identity do not replicate.
  await rm(join(draft, 'auto.cnf'), { force: true });
  await rename(draft, target);
}

/** Returns the template, and creates it if it is missing. Null: its folder is not writable. */
async function findTemplate(binary: EngineBinary): Promise<string | null> {
  const template = join(engineCache(), `template-${binary.product}-${binary.version}-${process.arch}`);
  if (await isDataDirectory(template)) return template;
  const work = await mkdir(dirname(template), { recursive: true })
    .then(() => mkdtemp(join(dirname(template), '.template-')))
    .catch(() => null);
  if (work === null) return null;
  try {
    await createDataDirectory(binary, join(work, 'data'));
    await rename(join(work, 'data'), template).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error; // another process made one meanwhile
    });
    return template;
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

const CONFINED =
  'The system may restrict this server to /var/lib/mysql. MINIAPP_ENGINE_SOURCE=debian downloads another one.';

async function createDataDirectory(binary: EngineBinary, path: string): Promise<void> {
  await mkdir(path, { mode: 0o700 });
  const args = await commonArguments(binary, path);
  const made =
    binary.product === 'mariadb'
      ? await bootstrapMariadb(binary, args, path)
      : await run(binary.path, [...args, '--initialize-insecure'], { env: binary.env });
  if (made.code === 0) return;
  const hint = binary.source === 'path' && process.platform === 'linux' ? CONFINED : '';
  throw new Error(`${binary.product} could not create a data directory: ${made.stderr.slice(-2000)}\n${hint}`.trim());
}

async function bootstrapMariadb(binary: EngineBinary, args: string[], data: string) {
  await mkdir(join(data, 'mysql'));
  const share = await shareDirectory(binary);
  // Only the system's root may log in as root, and only through the socket. So no account on the port lacks a password.
  const sql = [
    "create database if not exists mysql;\nuse mysql;\nset @auth_root_socket='root';\nset @skip_auth_anonymous=1;\n",
  ];
  for (const name of ['system_tables', 'performance_tables', 'system_tables_data']) {
    sql.push(await readFirst([join(share, `mysql_${name}.sql`), join(share, `mariadb_${name}.sql`)]));
  }
  sql.push(await readFirst([join(share, 'maria_add_gis_sp_bootstrap.sql')]));
  const flags = ['--bootstrap', `--tmpdir=${tmpdir()}`, '--innodb-log-file-size=4M', '--innodb-buffer-pool-size=32M'];
  flags.push('--innodb-flush-log-at-trx-commit=0', '--innodb-flush-method=nosync');
  return run(binary.path, [...args, ...flags], { env: binary.env, input: sql.join('\n') });
}

async function shareDirectory(binary: EngineBinary): Promise<string> {
  const base = dirname(dirname(binary.path));
  for (const share of [join(base, 'share/mysql'), join(base, 'share/mariadb')]) {
    const entries = await readdir(share).catch(() => []);
    if (entries.some((entry) => /^(mysql|mariadb)_system_tables\.sql$/.test(entry))) return share;
  }
  throw new Error(
    `the system tables of MariaDB are not under ${join(base, 'share')}: its server package is incomplete`,
  );
}

async function readFirst(files: string[]): Promise<string> {
  for (const file of files) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) return text;
  }
  throw new Error(`none of these files exists: ${files.join(', ')}`);
}

/** The administrator's password is kept with the data, so that replicas can log in after a restart. */
export async function keptPassword(directory: string): Promise<string> {
  const file = join(directory, 'administrator-password');
  const kept = await readFile(file, 'utf8').catch(() => null);
  if (kept !== null && kept !== '') return kept;
  const password = randomBytes(18).toString('base64url');
  await writeFile(file, password, { mode: 0o600 });
  return password;
}

/** MySQL and MariaDB cannot read each other's files, and their own errors about it are hard to understand. */
export async function assertSameFlavour(directory: string, product: string): Promise<void> {
  const file = join(directory, 'engine');
  const kept = await readFile(file, 'utf8').catch(() => null);
  if (kept === null) return writeFile(file, product);
  if (kept !== product) {
    throw new Error(
      `${directory} was written by ${kept}, but this engine is ${product}: choose another folder or empty it`,
    );
  }
}

export async function isDataDirectory(path: string): Promise<boolean> {
  return (await readdir(path).catch(() => [])).length > 0;
}
