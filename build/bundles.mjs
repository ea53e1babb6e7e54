import { existsSync, readdirSync } from 'node:fs';
import { slimScripts } from './slim-lua.mjs';

/** Each Lambda function is one bundle: a file of functions/, or the index.ts of a folder there. */
const entryPoints = readdirSync('functions', { withFileTypes: true }).flatMap((entry) => {
  if (entry.isFile() && entry.name.endsWith('.ts'))
    return [{ in: `functions/${entry.name}`, out: entry.name.slice(0, -3) }];
  const index = `functions/${entry.name}/index.ts`;
  return existsSync(index) ? [{ in: index, out: entry.name }] : [];
});

/**
 * Properties that only the Redis client uses, hundreds of times. Shortening them makes each cold start load 7 KB less.
 * A test checks that nothing else in a bundle has a property of these names.
 */
export const CLIENT_PROPERTIES =
  /^(commandOptions|chain|client|opts|dispatchToListeners|upstashSyncToken|readYourWrites|activeWritePipeline|activeReadPipeline|streamOptions|automaticDeserialization|deserialize|serialize|hasCredentials|enableAutoPipelining|enableTelemetry|isStreaming|responseEncoding|keepErrors|multiExec|subscriptions|autoPipelineExecutor|mergeTelemetry|onMessage|pipelinePromises|latencyLogging|initPromise|execOperation|handleMessage)$/;

/** @satisfies {import('esbuild').BuildOptions} */
const everyBundle = {
  entryPoints,
  outExtension: { '.js': '.mjs' },
  bundle: true,
  format: 'esm',
  platform: 'node',
  target: 'node20',
  mainFields: ['module', 'main'],
  sourcesContent: false,
  legalComments: 'none',
  plugins: [slimScripts],
};

/** @satisfies {import('esbuild').BuildOptions} */
export const bundles = {
  ...everyBundle,
  minify: true,
  mangleProps: CLIENT_PROPERTIES,
  sourcemap: 'external',
};

/**
 * For a debugger, four times as large. Scripts are the same as in the small bundles; names and lines stay as they are in
 * the source. Each bundle contains its source map, so that breakpoints in TypeScript files work. A separate map file does not work: a debugger keeps the one
 * that it read first, also after a new build.
 * @satisfies {import('esbuild').BuildOptions}
 */
export const readableBundles = { ...everyBundle, sourcemap: 'inline' };
