/**
 * The same bundles behind serverless-offline, which differs from the real gateway (a throwing handler answers 200, no
 * source address, its own 401, 403 and 404 bodies): for a smoke test and for those used to it. serve/http-api/http-api.ts is the
 * faithful one.
 */
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { startTogether } from '../serve/lifecycle/started.ts';
import { serveUntilSignal } from '../serve/lifecycle/until-signal.ts';
import { assertPortIsFree, commandOptions, type DevOptions } from './dev-options.ts';
import { type BoundChild, freePort, spawnBound, startOnPort } from './engines/process.ts';
import { build } from './rebuild.ts';
import { isStartedAs } from './simulators/loopback-server.ts';
import { startStack } from './stack.ts';

export interface Offline {
  url: string;
  port: number;
  stop(): Promise<void>;
}

const host = '127.0.0.1';

/** Resolves once it answers. It ends with this process, however that ends. Needs serverless.yml and dist/ in the working directory. */
export async function startOffline(options: {
  /** A free one unless given. */
  port?: number;
  /** What the functions see, beside this process's environment. */
  env: NodeJS.ProcessEnv;
  log: (line: string) => void;
}): Promise<Offline> {
  const cli = join(dirname(createRequire(import.meta.url).resolve('serverless/package.json')), 'bin/serverless.js');
  // A port of its own, since two runs side by side would meet on the default one.
  const lambdaPort = await freePort();
  let ended = false;
  const { port, child } = await startOnPort({
    name: 'serverless-offline',
    port: options.port,
    spawn: (candidate) =>
      spawnBound(
        process.execPath,
        [cli, 'offline', '--localEnvironment', '--host', host, ...portArguments(candidate, lambdaPort)],
        { env: { ...options.env, SLS_NOTIFICATIONS_MODE: 'off' } },
      ),
    isReady: (candidate, started) => answers(`http://${host}:${candidate}/health`, started),
  });
  void child.exited.then(() => {
    if (!ended) options.log(`serverless-offline ended by itself; its last words:\n${child.output()}`);
  });
  return {
    url: `http://${host}:${port}`,
    port,
    stop() {
      ended = true;
      return child.stop();
    },
  };
}

function portArguments(port: number, lambdaPort: number): string[] {
  return ['--httpPort', String(port), '--lambdaPort', String(lambdaPort)];
}

/** Any status counts: what the functions say is not the server's readiness. */
async function answers(url: string, child: BoundChild): Promise<boolean> {
  try {
    await fetch(url, { signal: AbortSignal.timeout(10_000) });
    return child.isRunning();
  } catch {
    return false;
  }
}

/** The engines and the data of `npm run dev` under it. serverless.yml names the bundles, so they lie in dist/. */
function startOfflineStack({
  port,
  dataDirectory,
  fresh,
  ha,
}: DevOptions): Promise<{ url: string; stop(): Promise<void> }> {
  const log = (line: string) => console.log(line);
  return startTogether(async (onStop) => {
    await assertPortIsFree(port);
    const stack = await startStack({
      dataDirectory,
      kept: true,
      fresh,
      ha,
      log,
      served: false,
      beforeServing: () => build('dist'),
    });
    onStop(() => stack.stop());
    const topology = stack.engines.highAvailability?.watch(log);
    onStop(async () => topology?.stop());
    const offline = await startOffline({ env: stack.env, log, ...(port > 0 && { port }) });
    onStop(() => offline.stop());
    await stack.announce(offline.url);
    return { url: offline.url };
  });
}

if (isStartedAs(import.meta.url)) {
  const options = commandOptions('offline', 'runs the functions behind serverless-offline');
  if (options) await serveUntilSignal(() => startOfflineStack(options));
}
