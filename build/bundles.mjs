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
 * Properties that the Redis client uses within itself alone, hundreds of times: shortened they are 7 KB less of each
 * cold start. A test holds that nothing else in a bundle has a property of these names.
 */
export const CLIENT_PROPERTIES =
  /^(commandOptions|chain|client|opts|dispatchToListeners|upstashSyncToken|readYourWrites|activeWritePipeline|activeReadPipeline|streamOptions|automaticDeserialization|deserialize|serialize|hasCredentials|enableAutoPipelining|enableTelemetry|isStreaming|responseEncoding|keepErrors|multiExec|subscriptions|autoPipelineExecutor|mergeTelemetry|onMessage)$/;

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
};

/** @satisfies {import('esbuild').BuildOptions} */
export const bundles = {
  ...everyBundle,
  plugins: [slimScripts],
  minify: true,
  mangleProps: CLIENT_PROPERTIES,
  sourcemap: 'external',
};

/**
 * For a debugger, four times as large: names and lines stay as they are written, and each bundle holds its source map,
 * so that a breakpoint in a TypeScript file binds. A map in a file of its own would not do: a debugger keeps the one
 * that it read first, also after the file was built again.
 * @satisfies {import('esbuild').BuildOptions}
 */
export const readableBundles = { ...everyBundle, sourcemap: 'inline' };
