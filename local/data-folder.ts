import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lockDirectory } from './engines/directory-lock.ts';
import { processIdentity } from './engines/process.ts';
import { type Addresses, functionEnvironment } from './function-environment.ts';
import { type Keys, newKeys, proofOf, readKeys, writePrivately } from './keys-file.ts';

/**
 * The folder that `npm run dev` keeps between runs: `redis/`, `mysql/`, and `keys.json` with all secrets. While it
 * runs, `state.json` is there too; the other commands find it by this file.
 */
export const defaultDataFolder = fileURLToPath(new URL('../.data/dev', import.meta.url));

/** The message is shown at the terminal. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError';
}

interface DataFolder {
  directory: string;
  keys: Keys;
  /** Writes `state.json`, so that other commands find this process. */
  announce(running: Omit<RunningState, 'process'>): Promise<void>;
  close(): Promise<void>;
}

/** Contains no secrets but those of the two gateways, which are useless after this run. */
interface RunningState extends Addresses {
  process: string;
  url: string;
  redisToken: string;
}

const MARKER = 'miniapp-cloud.json';
const LOCK = /^in-use-by(\.|$)/;

/** Locks the folder for this process. `fresh` empties it. Throws DataFolderError, also if it has files of others. */
export async function openDataFolder(path: string, options: { fresh?: boolean } = {}): Promise<DataFolder> {
  const directory = resolve(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const content = () => readdirSync(directory).filter((name) => !LOCK.test(name));
  if (content().length > 0 && !existsSync(join(directory, MARKER))) {
    throw new DataFolderError(
      `${directory} contains files that do not belong to miniapp-cloud: choose another folder with --data`,
    );
  }
  const release = await lockDirectory(directory).catch((error: Error) => {
    throw new DataFolderError(error.message);
  });
  try {
    if (options.fresh) {
      // The marker is removed last, so that a folder that was emptied only in part is still accepted.
      const entries = content().sort((a, b) => Number(a === MARKER) - Number(b === MARKER));
      for (const name of entries) await rm(join(directory, name), { recursive: true, force: true });
    }
    const keys = await keysOf(directory);
    const stateFile = join(directory, 'state.json');
    await rm(stateFile, { force: true });
    return {
      directory,
      keys,
      announce: async (running) =>
        writePrivately(stateFile, { process: await processIdentity(process.pid), pid: process.pid, ...running }),
      async close() {
        await rm(stateFile, { force: true });
        await release();
      },
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Reads or makes the keys. A missing file is never replaced: data that its keys sealed would be unreadable. */
async function keysOf(directory: string): Promise<Keys> {
  const keysFile = join(directory, 'keys.json');
  const markerFile = join(directory, MARKER);
  const { masterKeyProof: proof } = readJson(markerFile) as { masterKeyProof?: unknown };
  const present = readKeys(keysFile);
  const advice = `put the former ${keysFile} back, or start with --fresh, which empties the folder`;
  if (proof === undefined) {
    // Without a proof no engine was started here before: the first start was interrupted earlier.
    const what = 'a data folder of miniapp-cloud';
    await writePrivately(markerFile, { what });
    const keys = present?.keys ?? newKeys();
    await writePrivately(keysFile, keys);
    await writePrivately(markerFile, { what, masterKeyProof: proofOf(keys.masterKey) });
    return keys;
  }
  if (!present) throw new DataFolderError(`${directory} holds data, but its keys are missing: ${advice}`);
  const { keys, added } = present;
  if (proof !== proofOf(keys.masterKey)) {
    throw new DataFolderError(`${directory} holds data that was sealed with another master key: ${advice}`);
  }
  if (added) await writePrivately(keysFile, keys);
  return keys;
}

interface RunningStack {
  url: string;
  sandbox: boolean;
  /** The environment of the functions, with secrets. */
  env: Record<string, string>;
}

/** The `npm run dev` that runs on this folder. undefined: none runs. */
export async function readRunningStack(path = defaultDataFolder): Promise<RunningStack | undefined> {
  const directory = resolve(path);
  const state = readJson(join(directory, 'state.json')) as Partial<RunningState & { pid: number }>;
  if (typeof state.pid !== 'number' || (await processIdentity(state.pid)) !== state.process) return undefined;
  const { keys } = readKeys(join(directory, 'keys.json')) ?? {};
  const { url, databaseUrl, replicaUrl, redisUrl, redisToken, wechatUrl, sandbox = false } = state;
  const replica = replicaUrl ? { replicaUrl } : {};
  if (!keys || !url || !databaseUrl || !redisUrl || !redisToken || !wechatUrl) return undefined;
  return {
    url,
    sandbox,
    env: functionEnvironment({ ...keys, redisToken }, { databaseUrl, ...replica, redisUrl, wechatUrl, sandbox }),
  };
}

/** The environment of the functions of the running `npm run dev`. Throws DataFolderError when none runs. */
export async function environmentOf(path = defaultDataFolder): Promise<Record<string, string>> {
  const running = await readRunningStack(path);
  if (running) return running.env;
  throw new DataFolderError(`Nothing runs on ${resolve(path)}: start "npm run dev", or name its folder with --data.`);
}

/** Returns an empty object for a file that is missing, or that is not a JSON object. */
function readJson(file: string): object {
  try {
    const read: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof read === 'object' && read !== null ? read : {};
  } catch {
    return {};
  }
}
