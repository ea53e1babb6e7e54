// Runs a command of this checkout as a bundle, which starts several times as fast as its TypeScript files do:
//   node build/tool.mjs portal/main.ts [ARGUMENTS]
// The bundle is built again when a file of it has changed. It is kept below node_modules/.cache, for each checkout its
// own. Where that cannot be written, the TypeScript files are run.
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

const checkout = dirname(dirname(fileURLToPath(import.meta.url)));
const [, , entry = ''] = process.argv;
const cache = join(
  checkout,
  'node_modules/.cache/miniapp-cloud',
  createHash('sha256').update(`${checkout}\0${entry}`).digest('hex').slice(0, 16),
);

/** `{ main, inputs: [path, size, time of the change][] }`; undefined: none was built, or the file is damaged. */
function readManifest() {
  try {
    return JSON.parse(readFileSync(join(cache, 'manifest.json'), 'utf8'));
  } catch {
    return undefined;
  }
}

/** @param {{ main: string, inputs: [string, number, number][] } | undefined} manifest */
function isFresh(manifest) {
  return (
    manifest !== undefined &&
    [...manifest.inputs, [manifest.main]].every(([path, size, changed]) => {
      const found = statSync(path, { throwIfNoEntry: false });
      return found && (size === undefined || (found.size === size && found.mtimeMs === changed));
    })
  );
}

async function bundleOf() {
  const manifest = readManifest();
  if (isFresh(manifest)) return manifest.main;
  const { buildTool } = await import('./tool-bundle.mjs');
  return buildTool({ checkout, entry, cache });
}

let main;
try {
  main = await bundleOf();
} catch (error) {
  if (!(error instanceof Error && 'errors' in error)) throw error;
  // esbuild has printed which file is wrong. A former build is never run in its place.
  process.exit(1);
}
process.argv.splice(1, 2, join(checkout, entry));
if (main === undefined) {
  const { register } = await import('tsx/esm/api');
  register();
}
await import(pathToFileURL(main ?? join(checkout, entry)).href);
