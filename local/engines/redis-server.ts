import { connect } from 'node:net';
import { lockDirectory } from './directory-lock.ts';
import { type EngineBinary, findRedis } from './engine-binary.ts';
import { type BoundChild, spawnBound, startOnPort } from './process.ts';

export interface RedisServer {
  kind: 'redis';
  host: string;
  port: number;
  /** With credentials, if REDIS_URL has them. */
  url: string;
  version: string;
  source: string;
  /** 0 when the server is not a child of this process. */
  pid: number;
  /** Ends the server. With `persist` its data is on disk. A server of REDIS_URL is not ended. */
  stop(): Promise<void>;
}

/** Uses the server of REDIS_URL. Without REDIS_URL, or with `own`, starts a server in `directory`. */
export async function startRedis(options: {
  directory: string;
  port?: number;
  /** true: an append-only file, so that confirmed writes survive a kill of the engine. false: nothing on disk. */
  persist?: boolean;
  replicaOf?: { host: string; port: number };
  own?: boolean;
  extraArguments?: string[];
  log?: (line: string) => void;
}): Promise<RedisServer> {
  const { directory, replicaOf, log = () => {} } = options;
  const url = process.env.REDIS_URL;
  if (url && !options.own && !replicaOf) return givenRedis(url, log);
  const binary = await findRedis(log);
  const args = ['--bind', '127.0.0.1', '--dir', directory, '--daemonize', 'no', '--save', ''];
  args.push(...(options.persist ? ['--appendonly', 'yes', '--appendfsync', 'everysec'] : ['--appendonly', 'no']));
  args.push('--repl-diskless-sync', 'yes', '--repl-diskless-sync-delay', '0', '--repl-diskless-load', 'on-empty-db');
  args.push('--repl-ping-replica-period', '1');
  if (replicaOf) args.push('--replicaof', replicaOf.host, String(replicaOf.port));
  return runRedis(binary, { name: binary.product, directory, port: options.port, log }, (port) => [
    '--port',
    String(port),
    ...args,
    ...(options.extraArguments ?? []),
  ]);
}

/** Starts a server or a sentinel. Both are the same binary with other arguments. */
export async function runRedis(
  binary: EngineBinary,
  server: { name: string; directory: string; port: number | undefined; log: (line: string) => void },
  argumentsFor: (port: number) => string[],
): Promise<RedisServer> {
  const release = await lockDirectory(server.directory);
  try {
    const { port, child } = await startOnPort({
      name: server.name,
      port: server.port,
      spawn: (port) => spawnBound(binary.path, argumentsFor(port), { env: binary.env }),
      isReady: isThisRedis,
    });
    server.log(`${server.name} ${binary.version} from ${binary.source} on 127.0.0.1:${port}`);
    const stop = () => child.stop().then(release);
    const url = `redis://127.0.0.1:${port}`;
    const { version, source } = binary;
    return { kind: 'redis', host: '127.0.0.1', port, url, version, source, pid: child.pid, stop };
  } catch (error) {
    await release();
    throw error;
  }
}

/** Another server may have taken the port. So the answer must contain the process id of our child. */
async function isThisRedis(port: number, child: BoundChild): Promise<boolean> {
  const info = await redisInfo({ host: '127.0.0.1', port }, (text) => /\nloading:|\nsentinel_masters:|^-/.test(text));
  if (info.startsWith('-NOAUTH')) return child.isRunning(); // extra arguments set a password
  return info.includes(`\nprocess_id:${child.pid}\r\n`) && !info.includes('\nloading:1');
}

/** Returns the answer of the first second. Empty: no server listens. */
function redisInfo(address: { host: string; port: number }, isEnough: (text: string) => boolean): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(address, () => socket.write('INFO server\r\nINFO persistence\r\nINFO sentinel\r\n'));
    const finish = () => {
      socket.destroy();
      resolve(text);
    };
    socket.setTimeout(1000, finish);
    socket.on('error', finish);
    socket.on('close', finish);
    socket.on('data', (chunk) => {
      text += chunk;
      if (isEnough(text)) finish();
    });
  });
}

async function givenRedis(url: string, log: (line: string) => void): Promise<RedisServer> {
  const { Redis } = await import('ioredis');
  const client = new Redis(url, { lazyConnect: true, maxRetriesPerRequest: 0, retryStrategy: () => null });
  client.on('error', () => {}); // connect() reports it
  const { hostname, port } = new URL(url);
  const address = { host: hostname, port: Number(port || 6379) };
  try {
    await client.connect();
    const version = /(?:redis|valkey)_version:([\d.]+)/.exec(await client.info('server'))?.[1] ?? 'unknown';
    log(`redis ${version} from REDIS_URL on ${address.host}:${address.port}`);
    return { kind: 'redis', ...address, url, version, source: 'env', pid: 0, stop: async () => {} };
  } catch {
    throw new Error(`no Redis answers at ${address.host}:${address.port} with the credentials of REDIS_URL`);
  } finally {
    client.disconnect();
  }
}
