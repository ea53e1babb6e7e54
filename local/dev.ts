import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { assertPortIsFree, type DevOptions, helpFor, readDevOptions } from './dev-options.ts';
import { build, rebuildOnChange } from './rebuild.ts';
import { startSamples } from './samples.ts';
import { type Stack, startStack } from './stack.ts';
import { startTogether } from './started.ts';

const SAME_SIGNAL_MS = 1000;
const log = (line: string) => console.log(line);

/** The whole service with its data kept, its functions rebuilt on change and its neighbours simulated. */
function startDev({ port, dataDirectory, fresh }: DevOptions): Promise<{ url: string; stop(): Promise<void> }> {
  return startTogether(async (onStop) => {
    // Bundles of its own: neither a test run nor a second dev in this checkout pulls them away.
    const distDirectory = join(dataDirectory, 'dist');
    const stack = await startStack({
      ...{ dataDirectory, kept: true, fresh, port, log },
      ...{ distDirectory, schedules: true, beforeServing: () => build(distDirectory) },
    });
    onStop(() => stack.stop());
    const samples = await startSamples(stack, dataDirectory, log);
    onStop(() => samples.stop());
    const reload = async () => stack.api?.reload();
    const watching = rebuildOnChange({ build: () => build(distDirectory), onBuilt: reload, log });
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

async function main(): Promise<void> {
  const options = readDevOptions(process.argv.slice(2));
  if (options === 'help') return log(helpFor('dev', 'runs the whole service on this machine'));
  await assertPortIsFree(options.port);

  let dev: { stop(): Promise<void> } | undefined;
  let endingSince = 0;
  const end = async () => {
    // Before it was ready there is nothing to drain, and engines end with their process. The second Ctrl-C means "now";
    // but the first one arrives more than once, from the terminal and from npm.
    if (!dev || (endingSince > 0 && performance.now() - endingSince > SAME_SIGNAL_MS)) process.exit(0);
    if (endingSince > 0) return;
    endingSince = performance.now();
    await dev.stop().catch((error: unknown) => console.error(`it did not end cleanly: ${String(error)}`));
    process.exit(0);
  };
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void end());
  const started = await startDev(options);
  dev = started;
  log(`ready ${started.url}`);
}

main().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error));
  process.exit(1);
});
