import { type FSWatcher, watch } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { run } from './engines/process.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));
const SETTLE_MS = 150;

/** Set for a run of the tests, so that their stacks load bundles that a debugger can read. */
const READABLE = process.env.READABLE_BUNDLES === '1';

/** Bundles the functions into `outputDirectory`; `readable`: for a debugger. Throws Error with the bundler's output. */
export async function build(outputDirectory: string, { readable = READABLE } = {}): Promise<void> {
  const command = ['build.mjs', ...(readable ? ['--readable'] : []), outputDirectory];
  const { code, stdout, stderr } = await run(process.execPath, command, { cwd: checkout });
  if (code !== 0) throw new Error(`the build of the functions failed:\n${(stderr || stdout).trim()}`);
}

/** Builds again when a file in the folders changes, then calls `onBuilt`. If a build fails, the last one is used. */
export function rebuildOnChange(options: {
  /** Default: the folders of the functions. */
  folders?: string[];
  build: () => Promise<void>;
  onBuilt: () => Promise<void>;
  log: (line: string) => void;
}): { stop(): void } {
  const { folders = [`${checkout}functions`, `${checkout}shared`], log } = options;
  let timer: NodeJS.Timeout | undefined;
  let building: Promise<void> = Promise.resolve();

  async function rebuild(): Promise<void> {
    try {
      await options.build();
      await options.onBuilt();
      log('functions built again');
    } catch (error) {
      log((error as Error).message);
    }
  }

  const changed = () => {
    clearTimeout(timer);
    // Several files that are saved together cause one build, and builds run one after the other.
    timer = setTimeout(() => {
      building = building.then(rebuild);
    }, SETTLE_MS);
  };
  const watchers: FSWatcher[] = folders.map((folder) =>
    watch(folder, { recursive: true }, changed).on('error', (error) =>
      log(`${folder} is no longer watched: ${error.message}`),
    ),
  );
  return {
    stop() {
      clearTimeout(timer);
      for (const watcher of watchers) watcher.close();
    },
  };
}
