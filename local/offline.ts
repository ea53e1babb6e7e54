/**
 * The same bundles behind serverless-offline, for a smoke test and for developers who are used to it. It differs from
 * API Gateway: a handler that throws answers 200, there is no source address, and it has its own 401, 403 and 404
 * bodies. serve/http-api/http-api.ts behaves as API Gateway does.
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
import { wechatCredentials } from './wechat-credentials.ts';

export interface Offline {
  url: string;
  port: number;
  stop(): Promise<void>;
}

const host = '127.0.0.1';

/** Resolves when it answers. It ends with this process, also by SIGKILL. The working directory needs a build. */
export async function startOffline(options: {
  /** Default: a free port. */
  port?: number;
  /** The environment of the functions, in addition to this process's own. */
  env: NodeJS.ProcessEnv;
  log: (line: string) => void;
}): Promise<Offline> {
  const cli = join(dirname(createRequire(import.meta.url).resolve('serverless/package.json')), 'bin/serverless.js');
  // Two runs at the same time would both use the default port.
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
    if (!ended) options.log(`serverless-offline ended unexpectedly; its last output:\n${child.output()}`);
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

/** Any status means ready: the server answers, even if a function fails. */
async function answers(url: string, child: BoundChild): Promise<boolean> {
  try {
    await fetch(url, { signal: AbortSignal.timeout(10_000) });
    return child.isRunning();
  } catch {
    return false;
  }
}

/** It uses the engines and data of `npm run dev`. The bundles are in dist/, because serverless.yml names them there. */
function startOfflineStack({
  port,
  dataDirectory,
  fresh,
  ha,
  h5Origins,
}: DevOptions): Promise<{ url: string; stop(): Promise<void> }> {
  const log = (line: string) => console.log(line);
  if (h5Origins) log('H5 origins are not used: serverless-offline allows every origin.');
  return startTogether(async (onStop) => {
    await assertPortIsFree(port);
    const wechat = wechatCredentials(process.env, log);
    const stack = await startStack({
      dataDirectory,
      kept: true,
      fresh,
      ha,
      log,
      served: false,
      env: { ERROR_DETAILS: 'on', ...wechat },
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
