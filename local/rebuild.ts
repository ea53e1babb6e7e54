import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run } from './engines/process.ts';
import { watchFiles } from './watch-files.ts';

const checkout = fileURLToPath(new URL('..', import.meta.url));

/** Set for a run of the tests, so that their stacks load bundles that a debugger can read. */
const READABLE = process.env.READABLE_BUNDLES === '1';

/** Bundles the functions into `outputDirectory`; `readable`: for a debugger. Throws Error with the bundler's output. */
export async function build(outputDirectory: string, { readable = READABLE } = {}): Promise<void> {
  const command = ['build.mjs', ...(readable ? ['--readable'] : []), outputDirectory];
  const { code, stdout, stderr } = await run(process.execPath, command, { cwd: checkout });
  if (code !== 0) throw new Error(`the build of the functions failed:\n${(stderr || stdout).trim()}`);
}

/** Code that runs in this process, which therefore needs a restart. */
const OWN = ['build', 'build.mjs', 'client', 'db', 'gateway', 'local', 'serve'];

/**
 * Builds again when a file of the functions changes, then calls `onBuilt`. If a build fails, the last one is used.
 * Calls `onDeclared` when serverless.yml changes. Logs when a change needs a restart.
 */
export function rebuildOnChange(options: {
  /** Default: this checkout. */
  folder?: string;
  build: () => Promise<void>;
  onBuilt: () => Promise<void>;
  onDeclared: () => Promise<void>;
  log: (line: string) => void;
}): { stop(): void } {
  const { folder = checkout, log } = options;
  const at = (names: string[]): string[] => names.map((name) => join(folder, name));
  let working: Promise<void> = Promise.resolve();

  /** One piece of work after the other. */
  function then(work: () => Promise<void>, done: string): void {
    working = working.then(work).then(
      () => log(done),
      (error: unknown) => log((error as Error).message),
    );
  }

  async function rebuild(): Promise<void> {
    await options.build();
    await options.onBuilt();
  }

  const watching = [
    watchFiles(at(['functions', 'shared']), () => then(rebuild, 'functions built again')),
    watchFiles(at(['serverless.yml']), () => then(options.onDeclared, 'serverless.yml read again')),
    watchFiles(at(OWN), (files) => log(`${relative(folder, files[0] ?? '')} changed: restart this command to use it`)),
  ];
  return {
    stop() {
      for (const one of watching) one.stop();
    },
  };
}
