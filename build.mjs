// Bundles each Lambda function to dist/<name>.mjs. Another folder than dist may be named; it is emptied.
import { rmSync } from 'node:fs';
import { build } from 'esbuild';
import { bundles } from './build/bundles.mjs';

const outdir = process.argv[2] ?? 'dist';
rmSync(outdir, { recursive: true, force: true });
await build({ ...bundles, outdir });
