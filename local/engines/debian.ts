import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { findOnPath, run } from './process.ts';

/** Null: packages cannot be downloaded on this system. */
export interface Debian {
  codename: string;
  architecture: string;
  aptGet: string;
  aptCache: string;
  dpkgDeb: string;
}

export async function findDebian(environment: NodeJS.ProcessEnv = process.env): Promise<Debian | null> {
  const release = await readFile('/etc/os-release', 'utf8').catch(() => '');
  const codename = /^VERSION_CODENAME="?([a-z]+)"?$/m.exec(release)?.[1];
  const [aptGet, aptCache, dpkgDeb] = ['apt-get', 'apt-cache', 'dpkg-deb'].map((name) => findOnPath(name, environment));
  if (!codename || !aptGet || !aptCache || !dpkgDeb) return null;
  return { codename, architecture: process.arch, aptGet, aptCache, dpkgDeb };
}

/**
 * Unpacks Redis, MariaDB and the libraries they need into `root`. It needs no root rights and changes nothing in the
 * system: apt keeps its state in `work`, uses the configured package sources of the system, and checks signatures.
 */
export async function fetchDebianEngines(
  debian: Debian,
  folders: { work: string; root: string },
  log: (line: string) => void,
): Promise<void> {
  const { work, root } = folders;
  const downloads = join(work, 'downloads');
  for (const folder of ['lists/partial', 'cache/archives/partial', 'downloads']) {
    await mkdir(join(work, folder), { recursive: true });
  }
  await mkdir(root, { recursive: true });
  await writeFile(join(work, 'apt.conf'), aptConfiguration(work));
  const apt = (command: string, args: string[]) =>
    run(command, ['-c', join(work, 'apt.conf'), ...args], { cwd: downloads, env: { LC_ALL: 'C' } });

  log('reading the package lists of this system ...');
  // Other package sources may fail here. The next steps show whether the needed packages are available.
  const update = await apt(debian.aptGet, ['update']);
  const packages = await enginePackages(debian, apt, update.stderr);
  const uris = (await apt(debian.aptGet, ['download', '--print-uris', ...packages])).stdout;
  const bytes = [...uris.matchAll(/^'\S+' \S+ (\d+) /gm)].reduce((sum, match) => sum + Number(match[1]), 0);
  log(`fetching redis, mariadb packages (${Math.ceil(bytes / 1e6)} MB) ...`);
  const download = await apt(debian.aptGet, ['download', ...packages]);
  if (download.code !== 0) throw new Error(`apt-get download failed: ${lastLines(download.stderr || update.stderr)}`);
  for (const file of await readdir(downloads)) {
    if (!file.endsWith('.deb')) continue;
    const unpacked = await run(debian.dpkgDeb, ['-x', file, root], { cwd: downloads });
    if (unpacked.code !== 0) throw new Error(`dpkg-deb could not unpack ${file}: ${lastLines(unpacked.stderr)}`);
  }
  await prune(root);
}

function aptConfiguration(work: string): string {
  return `Dir::State "${work}";
Dir::State::Lists "${work}/lists";
// Not the status of the system: apt would look for installed versions that the sources no longer offer.
Dir::State::status "/dev/null";
Dir::Cache "${work}/cache";
Dir::Log "${work}";
Debug::NoLocking "true";
APT::Sandbox::User "";
APT::Get::AllowUnauthenticated "false";
Acquire::Languages "none";
Acquire::Retries "3";
quiet "2";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
`;
}

type Apt = (command: string, args: string[]) => Promise<{ code: number; stdout: string; stderr: string }>;

/** Looks up the package names: they differ between releases (mariadb-server-core-10.6, libssl3t64 ...). */
async function enginePackages(debian: Debian, apt: Apt, updateErrors: string): Promise<string[]> {
  const named = async (prefix: string) =>
    (await apt(debian.aptCache, ['pkgnames', prefix])).stdout.split('\n').filter((name) => name !== '');
  const only = (names: string[], wanted: string[]) => wanted.filter((name) => names.includes(name));
  let redis = only(await named('redis-'), ['redis-server', 'redis-tools']);
  if (redis.length === 0) redis = only(await named('valkey-'), ['valkey-server', 'valkey-tools']);
  const cores = (await named('mariadb-server-core')).filter((name) => /^mariadb-server-core(-[\d.]+)?$/.test(name));
  const mariadb = cores.sort((a, b) => a.length - b.length || b.localeCompare(a, 'en', { numeric: true }))[0];
  if (redis.length === 0 || mariadb === undefined) {
    throw new Error(
      `the package sources of this system offer no Redis or no MariaDB. ${lastLines(updateErrors)}`.trim(),
    );
  }
  const roots = [...redis, mariadb];
  const flags = ['recommends', 'suggests', 'conflicts', 'breaks', 'replaces', 'enhances'].map((word) => `--no-${word}`);
  const { stdout } = await apt(debian.aptCache, ['depends', '--recurse', ...flags, ...roots]);
  return [...new Set([...roots, ...librariesOf(roots, stdout)])];
}

/** Without the C library: another one than the system's would not match the system's loader. */
function librariesOf(roots: string[], depends: string): Set<string> {
  const needs = new Map<string, string[]>();
  let list: string[] = [];
  let alternative = false;
  for (const line of depends.split('\n')) {
    if (/^\S/.test(line)) {
      list = [];
      needs.set(line.trim(), list);
      continue;
    }
    const match = /^ ([ |])(?:Pre)?Depends: ([^\s:<]+)/.exec(line);
    if (!match) continue;
    // In "a | b" only the first is used.
    if (!alternative && /^(lib|zlib)/.test(match[2] ?? '') && !/^libc6/.test(match[2] ?? '')) list.push(match[2] ?? '');
    alternative = match[1] === '|';
  }
  const libraries = new Set<string>();
  const queue = roots.flatMap((name) => needs.get(name) ?? []);
  for (const name of queue) {
    if (libraries.has(name)) continue;
    libraries.add(name);
    queue.push(...(needs.get(name) ?? []));
  }
  return libraries;
}

async function prune(root: string): Promise<void> {
  const share = join(root, 'usr/share');
  const drop = ['etc', 'var', 'usr/share/man', 'usr/share/doc', 'usr/share/lintian'].map((path) => join(root, path));
  const programs = await readdir(join(root, 'usr/bin')).catch(() => []);
  drop.push(...programs.filter((name) => !/^(redis|valkey)-/.test(name)).map((name) => join(root, 'usr/bin', name)));
  for (const folder of ['mysql', 'mariadb']) {
    for (const entry of await readdir(join(share, folder), { withFileTypes: true }).catch(() => [])) {
      const needed = entry.name === 'english' || entry.name === 'charsets' || !entry.isDirectory();
      if (!needed) drop.push(join(share, folder, entry.name));
    }
  }
  for (const path of drop) await rm(path, { recursive: true, force: true });
}

const lastLines = (text: string) => text.trim().split('\n').slice(-3).join(' ');
