import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';

/**
 * Reports files that changed, by looking at all of them again and again. The events of the operating system are not
 * enough: on Linux Node watches a file and not its name, so it sees nothing more after an editor or git replaced the
 * file, and on shared folders of containers and virtual machines there are no events.
 */
const PAUSE_MS = 200;
/**
 * A look takes 2 ms for the files of this project on a common machine. Where it is slow, pauses are longer: 3 % CPU.
 */
const PAUSE_PER_LOOK = 30;

/** Not the files that editors keep beside a source, such as `.app.ts.swp`, `app.ts~` and `4913`. */
const SOURCE = /^[^.#].*\.(ts|mts|js|mjs|cjs|json|sql|yml|lua)$/;

/**
 * `paths`: files and folders; one that does not exist yet is reported when it appears. `onChange` gets the files of
 * one or more saves, when no file has changed for one look. Throws nothing.
 */
export function watchFiles(paths: readonly string[], onChange: (files: string[]) => void): { stop(): void } {
  let seen = look(paths);
  let changed = new Set<string>();
  let timer: NodeJS.Timeout;
  const lookAgain = (): void => {
    const startedAt = performance.now();
    const now = look(paths);
    const different = differences(seen, now);
    seen = now;
    for (const file of different) changed.add(file);
    const pause = Math.max(PAUSE_MS, (performance.now() - startedAt) * PAUSE_PER_LOOK);
    // A save that was seen is looked at again soon, to find out whether more follow.
    timer = setTimeout(lookAgain, different.length > 0 ? PAUSE_MS : pause).unref();
    if (different.length > 0 || changed.size === 0) return;
    const files = [...changed].sort();
    changed = new Set();
    onChange(files);
  };
  timer = setTimeout(lookAgain, PAUSE_MS).unref();
  return { stop: () => clearTimeout(timer) };
}

/** The state of every file. Any save changes one of its parts: a rename the inode, all others the change time. */
function look(paths: readonly string[]): Map<string, string> {
  const states = new Map<string, string>();
  const visit = (path: string): void => {
    try {
      const stat = statSync(path);
      if (stat.isFile()) states.set(path, `${stat.mtimeMs} ${stat.ctimeMs} ${stat.size} ${stat.ino}`);
    } catch {} // it was removed meanwhile
  };
  const enter = (folder: string): void => {
    for (const entry of entriesOf(folder)) {
      const path = join(folder, entry.name);
      if (entry.isDirectory()) enter(path);
      else if (SOURCE.test(entry.name)) visit(path);
    }
  };
  for (const path of paths) {
    if (SOURCE.test(path.slice(path.search(/[^/\\]*$/)))) visit(path);
    else enter(path);
  }
  return states;
}

function entriesOf(folder: string) {
  try {
    return readdirSync(folder, { withFileTypes: true });
  } catch {
    return []; // it was removed meanwhile
  }
}

const differences = (before: Map<string, string>, after: Map<string, string>): string[] => [
  ...[...after].flatMap(([file, state]) => (before.get(file) === state ? [] : [file])),
  ...[...before.keys()].filter((file) => !after.has(file)),
];
