import { mkdir, mkdtemp, readdir, rename, rm, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, join } from 'node:path';
import { type Debian, fetchDebianEngines, findDebian } from './debian.ts';
import { findOnPath, run } from './process.ts';

export interface EngineBinary {
  name: 'redis' | 'mysql';
  /** The product name: redis, valkey, mariadb or mysql. */
  product: 'redis' | 'valkey' | 'mariadb' | 'mysql';
  path: string;
  version: string;
  source: 'path' | 'cache' | 'debian';
  /** LD_LIBRARY_PATH for a downloaded engine with its own libraries. Otherwise empty. */
  env: NodeJS.ProcessEnv;
}

type Log = (line: string) => void;

/** Downloads engines on a system where none are installed. */
export interface PackageSystem {
  /** Null: this system has no such packages. */
  find(environment: NodeJS.ProcessEnv): Promise<Debian | null>;
  /** Writes a tree with `usr/bin`, `usr/sbin` ... to `root`. The caller deletes `work` afterwards. */
  fetch(debian: Debian, folders: { work: string; root: string }, log: Log): Promise<void>;
}

const DEBIAN: PackageSystem = { find: findDebian, fetch: fetchDebianEngines };

const PROGRAMS = { redis: ['redis-server', 'valkey-server'], mysql: ['mariadbd', 'mysqld'] } as const;
const INSTALL = {
  redis: { debian: 'apt-get install redis-server', mac: 'brew install redis', other: 'Redis 7 (redis-server)' },
  mysql: {
    debian: 'apt-get install mariadb-server-core',
    mac: 'brew install mariadb',
    other: 'MariaDB 10.11 (mariadbd) or MySQL 8 (mysqld)',
  },
};

/** The last two parameters are for tests of the search. */
export function findRedis(log: Log, environment = process.env, packages = DEBIAN): Promise<EngineBinary> {
  return findEngine('redis', log, environment, packages);
}

/** MariaDB or MySQL: the one that is found first. */
export function findMysql(log: Log, environment = process.env, packages = DEBIAN): Promise<EngineBinary> {
  return findEngine('mysql', log, environment, packages);
}

/** Not in node_modules, because `npm ci` empties that. */
export function engineCache(environment: NodeJS.ProcessEnv = process.env): string {
  if (environment.MINIAPP_ENGINE_CACHE) return environment.MINIAPP_ENGINE_CACHE;
  return join(environment.XDG_CACHE_HOME || join(homedir(), '.cache'), 'miniapp-cloud', 'engines');
}

async function findEngine(
  name: EngineBinary['name'],
  log: Log,
  environment: NodeJS.ProcessEnv,
  packages: PackageSystem,
): Promise<EngineBinary> {
  if (environment.MINIAPP_ENGINE_SOURCE !== 'debian') {
    for (const program of PROGRAMS[name]) {
      const path = findOnPath(program, environment);
      const found = path === null ? null : await probe(name, path, 'path', {});
      if (found !== null) return found;
    }
  }
  const debian = await packages.find(environment);
  if (debian === null) throw new Error(`no ${name} server on PATH, and no Debian packages here. ${advice(name)}`);
  const root = join(engineCache(environment), `${debian.codename}-${debian.architecture}`);
  const cached = await probeRoot(name, root, 'cache');
  if (cached !== null) return cached;
  try {
    await fillCache(root, debian, packages, log);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`no ${name} server on PATH, and the download of one failed: ${reason}\n${advice(name)}`);
  }
  const fetched = await probeRoot(name, root, 'debian');
  if (fetched === null) throw new Error(`the ${name} server in ${root} does not run on this system. ${advice(name)}`);
  return fetched;
}

const filling = new Map<string, Promise<void>>();

/** One download contains both engines. A process downloads once, also for many callers. */
function fillCache(root: string, debian: Debian, packages: PackageSystem, log: Log): Promise<void> {
  const running = filling.get(root);
  if (running !== undefined) return running;
  const filled = fetchIntoCache(root, debian, packages, log).finally(() => filling.delete(root));
  filling.set(root, filled);
  return filled;
}

/** The cache appears complete or not at all. If two processes race, both use the result of the first rename. */
export async function fetchIntoCache(root: string, debian: Debian, packages: PackageSystem, log: Log): Promise<void> {
  await mkdir(join(root, '..'), { recursive: true });
  await sweep(join(root, '..'));
  const work = await mkdtemp(join(root, '..', '.fetch-'));
  try {
    // The caller found no usable engine in the cache, so an existing cache is broken, unless it was just finished.
    const broken = await stat(root).catch(() => null);
    if (broken !== null && Date.now() - broken.ctimeMs > 60_000)
      await rename(root, join(work, 'broken')).catch(() => {});
    await packages.fetch(debian, { work, root: join(work, 'root') }, log);
    await rename(join(work, 'root'), root).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    });
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

/** Deletes the remains of downloads that were killed. */
async function sweep(cache: string): Promise<void> {
  for (const entry of await readdir(cache)) {
    if (!entry.startsWith('.fetch-')) continue;
    const { mtimeMs } = await stat(join(cache, entry)).catch(() => ({ mtimeMs: Date.now() }));
    if (Date.now() - mtimeMs > 3_600_000) await rm(join(cache, entry), { recursive: true, force: true });
  }
}

async function probeRoot(
  name: EngineBinary['name'],
  root: string,
  source: EngineBinary['source'],
): Promise<EngineBinary | null> {
  const libraries: string[] = [];
  for (const folder of ['usr/lib', 'lib']) {
    const entries = await readdir(join(root, folder)).catch(() => []);
    libraries.push(
      ...entries.filter((entry) => entry.includes('-linux-gnu')).map((entry) => join(root, folder, entry)),
    );
  }
  const env = { LD_LIBRARY_PATH: libraries.join(':') };
  for (const program of PROGRAMS[name]) {
    const found = findOnPath(program, { PATH: `${join(root, 'usr/bin')}:${join(root, 'usr/sbin')}` });
    const engine = found === null ? null : await probe(name, found, source, env);
    if (engine !== null) return engine;
  }
  return null;
}

/** Programs that ran once, by path, environment and state of the file: a process that starts many engines asks once. */
const probed = new Map<string, EngineBinary>();

/** Null: it does not run (a broken link, a missing library, another architecture). */
async function probe(
  name: EngineBinary['name'],
  path: string,
  source: EngineBinary['source'],
  env: NodeJS.ProcessEnv,
): Promise<EngineBinary | null> {
  const file = await stat(path).catch(() => null);
  const key = JSON.stringify([name, path, source, env, file?.ino, file?.size, file?.mtimeMs]);
  const engine = probed.get(key) ?? (await runOnce(name, path, source, env));
  if (engine !== null) probed.set(key, engine);
  return engine;
}

async function runOnce(
  name: EngineBinary['name'],
  path: string,
  source: EngineBinary['source'],
  env: NodeJS.ProcessEnv,
): Promise<EngineBinary | null> {
  const { code, stdout } = await run(path, [...(name === 'mysql' ? ['--no-defaults'] : []), '--version'], { env });
  const version = /(?:\bv=|\bVer )(\d+\.\d+\.\d+)/.exec(stdout)?.[1];
  if (code !== 0 || version === undefined) return null;
  const text = `${basename(path)} ${stdout}`;
  const product =
    name === 'mysql' ? (/mariadb/i.test(text) ? 'mariadb' : 'mysql') : /valkey/i.test(text) ? 'valkey' : 'redis';
  return { name, product, path, version, source, env };
}

function advice(name: EngineBinary['name']): string {
  const url = name === 'redis' ? 'REDIS_URL' : 'MYSQL_URL';
  const { debian, mac, other } = INSTALL[name];
  const install = process.platform === 'darwin' ? mac : `install ${other}, on Debian or Ubuntu: ${debian}`;
  return `Solution: ${install}; or set ${url} to a running server, or MINIAPP_ENGINE_CACHE to a writable folder.`;
}
