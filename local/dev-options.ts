import { createServer } from 'node:net';
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { readH5Origins } from '../serve/h5-origins.ts';
import { defaultDataFolder } from './data-folder.ts';

export interface DevOptions {
  port: number;
  dataDirectory: string;
  fresh: boolean;
  ha: boolean;
  /** undefined: those of serverless.yml. */
  h5Origins: string[] | undefined;
}

/** The message is shown at the terminal. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

const helpFor = (command: string, what: string): string => `npm run ${command} -- [options]   ${what}

  --port N     the port of the HTTP API on 127.0.0.1 (default 3000; 0 takes a free port)
  --data DIR   the folder that keeps the data between runs (default .data/dev)
  --fresh      empty that folder first
  --ha         Redis with replicas and sentinels, MySQL with a replica; prints each change of the topology
  --h5-origins LIST  web pages that may call from a browser, such as http://localhost:3001, comma separated (default:
               the environment's H5_ORIGINS, or those of the stage dev in serverless.yml)
  --help

It needs no account, no root rights and no container: engines that are not installed are downloaded once. It prints
"ready http://127.0.0.1:<port>" when it serves, and ends on Ctrl-C. npm run portal, demo and db find it by its folder.`;

/** undefined: the help or an error of the options was printed, and nothing is left to do. */
export function commandOptions(command: string, what: string): DevOptions | undefined {
  try {
    const options = readOptions(process.argv.slice(2));
    if (options !== 'help') return options;
    console.log(helpFor(command, what));
  } catch (error) {
    console.error(error instanceof UsageError ? error.message : String(error));
    process.exitCode = 1;
  }
  return undefined;
}

/** Throws UsageError. */
function readOptions(argv: string[]): DevOptions | 'help' {
  const options = {
    port: { type: 'string', default: '3000' },
    data: { type: 'string', default: defaultDataFolder },
    fresh: { type: 'boolean', default: false },
    ha: { type: 'boolean', default: false },
    'h5-origins': { type: 'string', default: process.env.H5_ORIGINS ?? '' },
    help: { type: 'boolean', short: 'h', default: false },
  } as const;
  let values: ReturnType<typeof parseArgs<{ options: typeof options }>>['values'];
  try {
    ({ values } = parseArgs({ args: argv, options }));
  } catch (error) {
    throw new UsageError(`${(error as Error).message.split('. ')[0]}. See --help.`);
  }
  if (values.help) return 'help';
  const port = Number(values.port);
  if (!/^\d{1,5}$/.test(values.port) || port > 65_535) throw new UsageError('--port must be a number, 0 to 65535.');
  const h5Origins = originsIn(values['h5-origins']);
  return { port, dataDirectory: resolve(values.data), fresh: values.fresh, ha: values.ha, h5Origins };
}

function originsIn(list: string): string[] | undefined {
  try {
    return list === '' ? undefined : readH5Origins(list);
  } catch (error) {
    throw new UsageError(`H5 origins: ${(error as Error).message} is no origin such as http://localhost:3001.`);
  }
}

/** Checked before engines start, so that the error comes at once. Throws UsageError. */
export function assertPortIsFree(port: number): Promise<void> {
  return new Promise((free, reject) => {
    const server = createServer();
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        error.code === 'EADDRINUSE'
          ? new UsageError(`port ${port} is in use: choose another with --port, or stop the program that uses it`)
          : error,
      ),
    );
    server.listen(port, '127.0.0.1', () => server.close(() => free()));
  });
}
