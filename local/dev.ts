import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { startTogether } from '../serve/lifecycle/started.ts';
import { serveUntilSignal } from '../serve/lifecycle/until-signal.ts';
import { assertPortIsFree, commandOptions, type DevOptions } from './dev-options.ts';
import { build, rebuildOnChange } from './rebuild.ts';
import { startSamples } from './samples.ts';
import { type Stack, startStack } from './stack.ts';

const log = (line: string) => console.log(line);

/** The whole service with its data kept, its functions rebuilt on change and its neighbours simulated. */
function startDev({ port, dataDirectory, fresh, ha }: DevOptions): Promise<{ url: string; stop(): Promise<void> }> {
  return startTogether(async (onStop) => {
    await assertPortIsFree(port);
    // Bundles of its own: neither a test run nor a second dev in this checkout pulls them away.
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
      beforeServing: buildBundles,
    });
    onStop(() => stack.stop());
    const topology = stack.engines.highAvailability?.watch(log);
    onStop(async () => topology?.stop());
    const samples = await startSamples(stack, dataDirectory, log);
    onStop(() => samples.stop());
    const reload = async () => stack.api?.reload();
    const watching = rebuildOnChange({ build: buildBundles, onBuilt: reload, log });
    onStop(async () => watching.stop());
    if (existsSync(join(distDirectory, 'cache-warm.mjs'))) await warmCache(stack);
    await stack.announce();
    return { url: stack.url };
  });
}

/** A cold cache is slow and not wrong, so it keeps nobody from working. */
async function warmCache({ api }: Stack): Promise<void> {
  await api?.runSchedule('cache-warm').catch((error: unknown) => log(`cache-warm failed: ${String(error)}`));
}

const options = commandOptions('dev', 'runs the whole service on this machine');
if (options) await serveUntilSignal(() => startDev(options));
