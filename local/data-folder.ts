import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { lockDirectory } from './engines/directory-lock.ts';
import { processIdentity } from './engines/process.ts';
import { type Addresses, functionEnvironment } from './function-environment.ts';
import { type Keys, newKeys, proofOf, readKeys, writePrivately } from './keys-file.ts';

/**
 * Where `npm run dev` keeps what must outlive it: `redis/` and `mysql/`, `keys.json` with all secrets, and, only while it
 * runs, `state.json`, by which the other commands find it.
 */
export const defaultDataFolder = fileURLToPath(new URL('../.data/dev', import.meta.url));

/** A sentence for the person at the terminal. */
export class DataFolderError extends Error {
  override readonly name = 'DataFolderError';
}

interface DataFolder {
  directory: string;
  keys: Keys;
  /** Lets other commands find what runs here. */
  announce(running: Omit<RunningState, 'process'>): Promise<void>;
  close(): Promise<void>;
}

/** No secrets but those of the two gateways, which end with this run's ports. */
interface RunningState extends Addresses {
  process: string;
  url: string;
  redisToken: string;
}

const MARKER = 'miniapp-cloud.json';
const LOCK = /^in-use-by(\.|$)/;

/** Takes the folder for this process alone. `fresh` empties it, and never one that is not ours. Throws DataFolderError. */
export async function openDataFolder(path: string, options: { fresh?: boolean } = {}): Promise<DataFolder> {
  const directory = resolve(path);
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const content = () => readdirSync(directory).filter((name) => !LOCK.test(name));
  if (content().length > 0 && !existsSync(join(directory, MARKER))) {
    throw new DataFolderError(
      `${directory} holds files that are not of miniapp-cloud: choose another folder with --data`,
    );
  }
  const release = await lockDirectory(directory).catch((error: Error) => {
    throw new DataFolderError(error.message);
  });
  try {
    if (options.fresh) {
      // The marker goes last: a folder that was emptied half-way is still ours.
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

/** What was sealed under a lost master key cannot be read again, so new keys never take the place of missing ones. */
async function keysOf(directory: string): Promise<Keys> {
  const keysFile = join(directory, 'keys.json');
  const markerFile = join(directory, MARKER);
  const { masterKeyProof: proof } = readJson(markerFile) as { masterKeyProof?: unknown };
  const present = readKeys(keysFile);
  const way = `put the former ${keysFile} back, or start with --fresh, which empties the folder`;
  if (proof === undefined) {
    // Without a proof no engine was ever started here, whatever broke the first start off.
    const what = 'a data folder of miniapp-cloud';
    await writePrivately(markerFile, { what });
    const keys = present ?? newKeys();
    await writePrivately(keysFile, keys);
    await writePrivately(markerFile, { what, masterKeyProof: proofOf(keys.masterKey) });
    return keys;
  }
  if (!present) throw new DataFolderError(`${directory} holds data, but its keys are gone: ${way}`);
  if (proof !== proofOf(present.masterKey)) {
    throw new DataFolderError(`${directory} holds data that was sealed under another master key: ${way}`);
  }
  return present;
}

interface RunningStack {
  url: string;
  sandbox: boolean;
  /** All that the functions see, secrets included. */
  env: Record<string, string>;
}

/** The `npm run dev` that runs on this folder; undefined when none does. */
export async function readRunningStack(path = defaultDataFolder): Promise<RunningStack | undefined> {
  const directory = resolve(path);
  const state = readJson(join(directory, 'state.json')) as Partial<RunningState & { pid: number }>;
  if (typeof state.pid !== 'number' || (await processIdentity(state.pid)) !== state.process) return undefined;
  const keys = readKeys(join(directory, 'keys.json'));
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

/** An empty object for a file that is absent or no JSON object. */
function readJson(file: string): object {
  try {
    const read: unknown = JSON.parse(readFileSync(file, 'utf8'));
    return typeof read === 'object' && read !== null ? read : {};
  } catch {
    return {};
  }
}
