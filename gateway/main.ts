import { startPlanetscaleGateway } from './planetscale/gateway.ts';
import { whyUnreachable } from './planetscale/link.ts';
import type { ReplicaState } from './planetscale/replica-watch.ts';
import { help, readSettings, type Settings, SettingsError } from './settings.ts';
import { startUpstashGateway } from './upstash/gateway.ts';
import { RedisRefusal, RedisUnreachable } from './upstash/redis-connection.ts';

/** Both gateways alone, for those who host them beside their own Redis and MySQL: `npm run gateway -- --help`. */
async function serve({ redis, mysql }: Settings): Promise<void> {
  const { primary, replicas = [] } = mysql;
  const away = await whyUnreachable(primary);
  if (away !== undefined) throw new SettingsError([`MYSQL_URL: ${away}.`]);
  for (const replica of replicas) {
    // One replica that is away must not keep the rest from serving; it is passed over until it is back.
    const missing = await whyUnreachable({ ...replica, database: primary.database });
    if (missing !== undefined) console.error(`warning: MYSQL_REPLICA_URLS: ${missing}.`);
  }
  const upstash = await startUpstashGateway(redis).catch((error: unknown) => {
    throw explained(error, 'redis', redis, 'sentinels' in redis.redis);
  });
  const onReplicaChange = ({ server, takesReads, reason }: ReplicaState) =>
    console.error(
      takesReads ? `replica ${server} takes reads` : `warning: replica ${server} takes no reads: ${reason}`,
    );
  const planetscale = await startPlanetscaleGateway({ ...mysql, onReplicaChange }).catch(async (error: unknown) => {
    await upstash.stop();
    throw explained(error, 'mysql', mysql);
  });
  console.log(`ready redis ${new URL(upstash.url).origin}`);
  console.log(`ready mysql ${new URL(planetscale.url).origin}`);

  const ended = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve());
  });
  await ended;
  await Promise.all([upstash.stop(), planetscale.stop()]);
}

function explained(
  error: unknown,
  engine: 'redis' | 'mysql',
  { host, port }: { host?: string; port?: number },
  named = false,
): unknown {
  if (error instanceof RedisUnreachable) {
    return new SettingsError([
      named
        ? 'REDIS_SENTINELS: no sentinel names a master that serves, or the password is wrong.'
        : 'REDIS_URL: no Redis answers there with that password.',
    ]);
  }
  if (error instanceof RedisRefusal) {
    return new SettingsError(['Redis refuses what the gateway needs: COMMAND, INFO, EVAL. Its account lacks rights.']);
  }
  if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') {
    return new SettingsError([`Port ${port} of ${host} is in use; choose another with --${engine}-port.`]);
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
