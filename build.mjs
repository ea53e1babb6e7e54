// Bundles each Lambda function to dist/<name>.mjs: a file of functions/, or the index.ts of a folder there.
import { existsSync, readdirSync, rmSync } from 'node:fs';
import { build } from 'esbuild';

const entryPoints = readdirSync('functions', { withFileTypes: true }).flatMap((entry) => {
  if (entry.isFile() && entry.name.endsWith('.ts'))
    return [{ in: `functions/${entry.name}`, out: entry.name.slice(0, -3) }];
  const index = `functions/${entry.name}/index.ts`;
  return existsSync(index) ? [{ in: index, out: entry.name }] : [];
});

rmSync('dist', { recursive: true, force: true });
await build({
  entryPoints,
  outdir: 'dist',
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  mainFields: ['module', 'main'],
  minify: true,
  sourcemap: 'external',
  sourcesContent: false,
  legalComments: 'none',
});
