// Bundles each Lambda function to dist/<name>.mjs. Another folder than dist may be named; it is emptied.
//   node build.mjs [--readable] [FOLDER]
import { rmSync } from 'node:fs';
import { build } from 'esbuild';
import { bundles, readableBundles } from './build/bundles.mjs';

const options = process.argv.slice(2);
const outdir = options.find((option) => !option.startsWith('--')) ?? 'dist';
rmSync(outdir, { recursive: true, force: true });
await build({ ...(options.includes('--readable') ? readableBundles : bundles), outdir });
