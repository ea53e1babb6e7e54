import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';

/** A process that started with a former bundle may still load a part of it. */
const KEEP_MS = 3_600_000;

/** A source file finds the files beside it by its own address, also when it is a part of a bundle somewhere else. */
const ownAddresses = {
  name: 'own-addresses',
  /** @param {import('esbuild').PluginBuild} builder */
  setup({ onLoad }) {
    onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const address = JSON.stringify(pathToFileURL(path).href);
      return { contents: readFileSync(path, 'utf8').replaceAll('import.meta.url', address), loader: 'ts' };
    });
  },
};

/**
 * Builds the command into a new folder of the cache, and then writes the manifest that names it and its inputs. Returns
 * the path of the bundle; undefined: the cache cannot be written. Throws what esbuild throws for a wrong source.
 * @param {{ checkout: string, entry: string, cache: string }} tool
 */
export async function buildTool({ checkout, entry, cache }) {
  const name = `built-${Date.now()}-${process.pid}`;
  const outdir = join(cache, name);
  try {
    mkdirSync(outdir, { recursive: true });
  } catch {
    return undefined;
  }
  const begun = Date.now();
  const { metafile } = await build({
    absWorkingDir: checkout,
    entryPoints: [{ in: entry, out: 'main' }],
    outdir,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    minifyWhitespace: true,
    sourcemap: 'external',
    sourcesContent: false,
    metafile: true,
    legalComments: 'none',
    logLevel: 'error',
    banner: { js: "import{createRequire as cr}from'node:module';const require=cr(import.meta.url);" },
    plugins: [ownAddresses],
  });
  // A file that was changed while it was read counts as changed: its time is later than `begun`.
  const stateOf = (/** @type {string} */ path) => {
    const { size, mtimeMs } = statSync(path);
    return [path, size, mtimeMs > begun ? 0 : mtimeMs];
  };
  const inputs = [...Object.keys(metafile.inputs), 'build/tool-bundle.mjs', 'functions'];
  const main = join(outdir, 'main.mjs');
  const manifest = { checkout, main, inputs: inputs.map((input) => stateOf(join(checkout, input))) };
  writeFileSync(join(outdir, 'manifest.json'), JSON.stringify(manifest));
  renameSync(join(outdir, 'manifest.json'), join(cache, 'manifest.json'));
  removeFormer(cache, name);
  removeAbandoned(dirname(cache));
  return main;
}

/** @param {string} cache @param {string} current */
function removeFormer(cache, current) {
  for (const name of readdirSync(cache)) {
    const time = Number(/^built-(\d+)-/.exec(name)?.[1] ?? Number.NaN);
    if (name !== current && Date.now() - time > KEEP_MS) rmSync(join(cache, name), { recursive: true, force: true });
  }
}

/** Removes the bundles of checkouts that no longer exist: copies may share one node_modules. @param {string} caches */
function removeAbandoned(caches) {
  for (const name of readdirSync(caches)) {
    try {
      const { checkout } = JSON.parse(readFileSync(join(caches, name, 'manifest.json'), 'utf8'));
      if (!existsSync(checkout)) rmSync(join(caches, name), { recursive: true, force: true });
    } catch {
      // Another process is building it.
    }
  }
}
