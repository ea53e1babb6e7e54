import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startTogether } from '../serve/lifecycle/started.ts';
import { serveUntilSignal } from '../serve/lifecycle/until-signal.ts';
import { assertPortIsFree, commandOptions, type DevOptions } from './dev-options.ts';
import { build, rebuildOnChange } from './rebuild.ts';
import { startSamples } from './samples.ts';
import { type Stack, startStack } from './stack.ts';
import { wechatCredentials } from './wechat-credentials.ts';

const log = (line: string) => console.log(line);

/** Runs the whole service. It keeps its data, rebuilds functions on change, and simulates other servers. */
function startDev({
  port,
  dataDirectory,
  fresh,
  ha,
  h5Origins,
}: DevOptions): Promise<{ url: string; stop(): Promise<void> }> {
  return startTogether(async (onStop) => {
    await assertPortIsFree(port);
    const wechat = wechatCredentials(process.env, log);
    // A folder of its own, so that a test run or a second dev in this checkout does not replace the bundles.
    const distDirectory = join(dataDirectory, 'dist');
    const buildBundles = () => build(distDirectory, { readable: true });
    const stack = await startStack({
      dataDirectory,
      kept: true,
      fresh,
      ha,
      port,
      log,
      distDirectory,
      schedules: true,
      ...(h5Origins && { h5Origins }),
      env: { ERROR_DETAILS: 'on', ...wechat },
      beforeServing: buildBundles,
    });
    onStop(() => stack.stop());
    const topology = stack.engines.highAvailability?.watch(log);
    onStop(async () => topology?.stop());
    const samples = await startSamples(stack, dataDirectory, log);
    onStop(() => samples.stop());
    const watching = rebuildOnChange({
      build: buildBundles,
      onBuilt: async () => stack.api?.reload(),
      onDeclared: async () => stack.api?.restart(),
      log,
    });
    onStop(async () => watching.stop());
    if (existsSync(join(distDirectory, 'cache-warm.mjs'))) await warmCache(stack);
    await stack.announce();
    return { url: stack.url };
  });
}

/** A failed run is only logged: with an empty cache answers are correct, but slow. */
async function warmCache({ api }: Stack): Promise<void> {
  await api?.runSchedule('cache-warm').catch((error: unknown) => log(`cache-warm failed: ${String(error)}`));
}

const options = commandOptions('dev', 'runs the whole service on this machine');
if (options) await serveUntilSignal(() => startDev(options));
