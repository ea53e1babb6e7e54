import { startPlanetscaleGateway } from './planetscale/gateway.ts';
import { whyUnreachable } from './planetscale/link.ts';
import type { ReplicaState } from './planetscale/replica-watch.ts';
import { help, readSettings, type Settings, SettingsError } from './settings.ts';
import { startUpstashGateway } from './upstash/gateway.ts';
import { RedisRefusal, RedisUnreachable } from './upstash/redis-connection.ts';

/** `npm run gateway`: both gateways without the functions, for self-hosting. Throws SettingsError. */
async function serve({ redis, mysql }: Settings): Promise<void> {
  const { primary, replicas = [] } = mysql;
  const problem = await whyUnreachable(primary);
  if (problem !== undefined) throw new SettingsError([`MYSQL_URL: ${problem}. Check the URL and the server.`]);
  for (const replica of replicas) {
    // A replica that is down does not stop the gateway: the other servers serve until it is back.
    const replicaProblem = await whyUnreachable({ ...replica, database: primary.database });
    if (replicaProblem !== undefined) console.error(`warning: MYSQL_REPLICA_URLS: ${replicaProblem}.`);
  }
  const upstash = await startUpstashGateway(redis).catch((error: unknown) => {
    throw startError(error, 'redis', redis, 'sentinels' in redis.redis);
  });
  const onReplicaChange = ({ server, takesReads, reason }: ReplicaState) =>
    console.error(
      takesReads ? `replica ${server} takes reads` : `warning: replica ${server} takes no reads: ${reason}`,
    );
  const planetscale = await startPlanetscaleGateway({ ...mysql, onReplicaChange }).catch(async (error: unknown) => {
    await upstash.stop();
    throw startError(error, 'mysql', mysql);
  });
  console.log(`ready redis ${new URL(upstash.url).origin}`);
  console.log(`ready mysql ${new URL(planetscale.url).origin}`);

  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await ended;
  await Promise.all([upstash.stop(), planetscale.stop()]);
}

/** A SettingsError that says what to change, or the error as it is. */
function startError(
  error: unknown,
  engine: 'redis' | 'mysql',
  { host, port }: { host?: string; port?: number },
  hasSentinels = false,
): unknown {
  if (error instanceof RedisUnreachable) {
    return new SettingsError([
      hasSentinels
        ? 'REDIS_SENTINELS: no sentinel reports a master that answers. Check REDIS_SENTINEL_NAME and the passwords.'
        : 'REDIS_URL: no Redis answers there with that password. Check the URL and the server.',
    ]);
  }
  if (error instanceof RedisRefusal) {
    return new SettingsError([
      'Redis refuses COMMAND, INFO or EVAL. Give its account the rights in docs/self-hosting/redis-users.acl.',
    ]);
  }
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    return new SettingsError([`Port ${port} of ${host} is in use. Choose another one with --${engine}-port.`]);
  }
  return error;
}

try {
  const settings = readSettings(process.argv.slice(2), process.env);
  if (settings === 'help') console.log(help);
  else await serve(settings);
} catch (error) {
  if (!(error instanceof SettingsError)) throw error;
  for (const problem of error.problems) console.error(problem);
  process.exitCode = 1;
}
