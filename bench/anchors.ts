import type { BenchRedis } from './engines.ts';

/** Other projects behind the same three calls: one instance for each caller, only the shared tier. */
export interface CacheAnchor {
  name: string;
  kind: 'http' | 'tcp';
  /** null: the value does not exist. */
  get(key: string, load: () => Promise<unknown>): Promise<unknown>;
  forget(key: string): Promise<unknown>;
}

const TTL_MS = 300_000;

export async function cacheAnchors({ host, port }: BenchRedis): Promise<Array<() => CacheAnchor>> {
  const { Redis } = await import('ioredis');
  const { BentoCache, bentostore } = await import('bentocache');
  const { redisDriver } = await import('bentocache/drivers/redis');
  const { Loader, RedisCache } = await import('layered-loader');
  const { cachified } = await import('@epic-web/cachified');
  const { Cacheable, Keyv } = await import('cacheable');
  const redis = new Redis({ host, port });

  const bento = (): CacheAnchor => {
    const store = bentostore().useL2Layer(redisDriver({ connection: redis }));
    const cache = new BentoCache({ default: 'l2', prefix: 'bento', stores: { l2: store } });
    return {
      name: 'bentocache',
      kind: 'tcp',
      get: (key, load) => cache.getOrSet({ key, ttl: TTL_MS, factory: load }),
      forget: (key) => cache.delete({ key }),
    };
  };

  const layered = (): CacheAnchor => {
    const sources = new Map<string, () => Promise<unknown>>();
    const loader = new Loader<unknown>({
      asyncCache: new RedisCache(redis, { ttlInMsecs: TTL_MS, json: true, prefix: 'layered' }),
      dataSourceGetOneFn: (key) => (sources.get(key) as () => Promise<unknown>)(),
    });
    return {
      name: 'layered-loader',
      kind: 'tcp',
      get(key, load) {
        sources.set(key, load);
        return loader.get(key);
      },
      forget: (key) => loader.invalidateCacheFor(key),
    };
  };

  const cached = (): CacheAnchor => {
    const cache = {
      get: async (key: string) => {
        const text = await redis.get(`cachified:${key}`);
        return text === null ? undefined : JSON.parse(text);
      },
      set: (key: string, value: unknown) => redis.set(`cachified:${key}`, JSON.stringify(value), 'PX', TTL_MS),
      delete: (key: string) => redis.del(`cachified:${key}`),
    };
    return {
      name: 'cachified',
      kind: 'tcp',
      get: (key, load) => cachified({ key, cache: cache as never, ttl: TTL_MS, getFreshValue: load }),
      forget: (key) => cache.delete(key),
    };
  };

  const layeredKeyv = (): CacheAnchor => {
    const store = {
      opts: {},
      get: async (key: string) => (await redis.get(key)) ?? undefined,
      set: (key: string, value: string) => redis.set(key, value, 'PX', TTL_MS),
      delete: async (key: string) => (await redis.del(key)) > 0,
      clear: async () => {},
      on() {
        return this;
      },
    };
    const cache = new Cacheable({ primary: new Keyv({ store: store as never, namespace: 'cacheable' }), ttl: TTL_MS });
    return {
      name: 'cacheable',
      kind: 'tcp',
      get: (key, load) => cache.getOrSet(key, load as never),
      forget: (key) => cache.delete(key),
    };
  };
  return [bento, layered, cached, layeredKeyv];
}
