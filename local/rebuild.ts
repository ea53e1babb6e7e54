import { type FSWatcher, watch } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run } from './process.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const SETTLE_MS = 150;

/** Bundles the functions into `outputDirectory`. Throws with what the bundler said. */
export async function build(outputDirectory: string): Promise<void> {
  const { code, stdout, stderr } = await run(process.execPath, ['build.mjs', outputDirectory], { cwd: checkout });
  if (code !== 0) throw new Error(`the functions do not build:\n${(stderr || stdout).trim()}`);
}

/** Builds again when a source changed, then calls `onBuilt`. What ran before goes on while the source is broken. */
export function rebuildOnChange(options: {
  outputDirectory: string;
  onBuilt: () => Promise<void>;
  log: (line: string) => void;
}): { stop(): void } {
  let timer: NodeJS.Timeout | undefined;
  let building: Promise<void> = Promise.resolve();

  async function rebuild(): Promise<void> {
    try {
      await build(options.outputDirectory);
      await options.onBuilt();
      options.log('functions built again');
    } catch (error) {
      options.log((error as Error).message);
    }
  }

  const changed = () => {
    clearTimeout(timer);
    // An editor that saves several files causes one build, and no two builds write at once.
    timer = setTimeout(() => {
      building = building.then(rebuild);
    }, SETTLE_MS);
  };
  const watchers: FSWatcher[] = ['functions', 'shared'].map((folder) =>
    watch(`${checkout}${folder}`, { recursive: true }, changed).on('error', (error) =>
      options.log(`${folder}/ is not watched any more: ${error.message}`),
    ),
  );
  return {
    stop() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
