import { randomBytes } from 'node:crypto';
import { Redis } from 'ioredis';
import { startUpstashGateway, type UpstashGateway } from '../../gateway/upstash/gateway.ts';
import { freshRedis } from './engines.ts';

export interface AdmissionWorld {
  redis: Redis;
  gateway: UpstashGateway;
  env: Record<string, string>;
  /** Shortens the TTL of all keys by this time: rules have no other clock than the TTL in Redis. */
  pass(seconds: number): Promise<void>;
  stop(): Promise<void>;
}

/** Sets this process's environment, so only one may run at a time. */
export async function startAdmissionWorld(
  intercept: NonNullable<Parameters<typeof startUpstashGateway>[0]['intercept']> = () => undefined,
): Promise<AdmissionWorld> {
  const server = await freshRedis();
  const token = randomBytes(16).toString('hex');
  const gateway = await startUpstashGateway({ redis: { host: server.host, port: server.port }, token, intercept });
  const env = {
    UPSTASH_REDIS_REST_URL: gateway.url,
    UPSTASH_REDIS_REST_TOKEN: token,
    DATABASE_URL: 'https://a:b@127.0.0.1/none',
    REDIS_TIMEOUT_MS: '20000',
    LOG: 'off',
  };
  Object.assign(process.env, env);
  const redis = new Redis({ host: server.host, port: server.port });
  return {
    redis,
    gateway,
    env,
    async pass(seconds) {
      for (const key of await redis.keys('*:lock:*')) {
        const left = (await redis.pttl(key)) - seconds * 1000;
        await (left > 0 ? redis.pexpire(key, left) : redis.del(key));
      }
    },
    async stop() {
      redis.disconnect();
      await gateway.stop();
      await server.stop();
    },
  };
}
