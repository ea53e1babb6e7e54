import { mkdtempSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readRunningStack } from '../local/data-folder.ts';
import { UsageError } from '../local/dev-options.ts';
import { takeEnvironment } from '../local/function-environment.ts';
import { build } from '../local/rebuild.ts';
import { startStack } from '../local/stack.ts';
import { startTogether } from '../serve/lifecycle/started.ts';

/** The server that the demo calls. */
export interface Stage {
  url: string;
  /** The environment of the functions. Portal and meter find the engines by it. */
  env: Record<string, string>;
  /** Names the server, to be printed. */
  about: string;
  stop(): Promise<void>;
}

const NEEDED = ['UPSTASH_REDIS_REST_URL', 'UPSTASH_REDIS_REST_TOKEN', 'DATABASE_URL', 'MASTER_KEY', 'SERVER_KEY'];

/**
 * Finds the server: the running `npm run dev` of the data folder; or the server at `url`, with its engines in this
 * process's environment; or a new server that is deleted afterwards. Throws UsageError if the demo must not run there.
 */
export async function openStage(options: { url?: string; dataDirectory: string }): Promise<Stage> {
  const { url, dataDirectory } = options;
  const running = await readRunningStack(dataDirectory);
  if (running && (!url || isSameServer(url, running.url))) {
    const { env } = running;
    return ready({ url: running.url, env, about: `the running server at ${running.url}`, stop: async () => {} });
  }
  if (!url) return ready(await startStage());
  const env = Object.fromEntries(Object.entries(process.env).filter((entry): entry is [string, string] => !!entry[1]));
  const missing = NEEDED.filter((name) => !env[name]);
  if (missing.length > 0) {
    throw new UsageError(
      `${url} is not the server that runs on ${dataDirectory}: name its folder with --data, or set its environment (missing: ${missing.join(', ')}).`,
    );
  }
  return ready({ url: url.replace(/\/+$/, ''), env, about: `the server at ${url}`, stop: async () => {} });
}

function ready(stage: Stage): Stage {
  if (!stage.env.SANDBOX_KEY) {
    throw new UsageError('The demo makes accounts and changes balances, so it runs only where SANDBOX_KEY is set.');
  }
  takeEnvironment(stage.env);
  return stage;
}

function startStage(): Promise<Stage> {
  return startTogether(async (onStop) => {
    const dataDirectory = mkdtempSync(join(tmpdir(), 'miniapp-demo-'));
    // For a signal before the server has started.
    process.once('exit', () => rmSync(dataDirectory, { recursive: true, force: true }));
    onStop(() => rm(dataDirectory, { recursive: true, force: true }));
    const distDirectory = join(dataDirectory, 'dist');
    const stack = await startStack({
      dataDirectory,
      kept: false,
      distDirectory,
      env: { LOG: 'off' },
      log: () => {},
      beforeServing: () => build(distDirectory),
    });
    onStop(() => stack.stop());
    const about = `a new server at ${stack.url}, in a temporary folder ("npm run dev" was not running)`;
    return { url: stack.url, env: stack.env, about };
  });
}

function isSameServer(a: string, b: string): boolean {
  const [left, right] = [new URL(a), new URL(b)];
  const local = ['localhost', '127.0.0.1', '[::1]'];
  const sameHost =
    left.hostname === right.hostname || (local.includes(left.hostname) && local.includes(right.hostname));
  return sameHost && left.port === right.port;
}
