/**
 * Declares the parts of the packages of bench/package.json that the benches call. A bench installs these packages when
 * it first needs them, so that `npm ci` of the project stays small. With these declarations the type check covers the
 * benches without the packages, and checks the same on every machine.
 */
declare module 'bentocache' {
  export function bentostore(): { useL2Layer(driver: unknown): unknown };
  export class BentoCache {
    constructor(options: { default: string; prefix: string; stores: Record<string, unknown> });
    getOrSet(options: { key: string; ttl: number; factory: () => Promise<unknown> }): Promise<unknown>;
    delete(options: { key: string }): Promise<boolean>;
  }
}

declare module 'bentocache/drivers/redis' {
  export function redisDriver(options: { connection: unknown }): unknown;
}

declare module 'layered-loader' {
  export class RedisCache {
    constructor(redis: unknown, options: { ttlInMsecs: number; json: boolean; prefix: string });
  }
  export class Loader<Value> {
    constructor(options: { asyncCache: RedisCache; dataSourceGetOneFn: (key: string) => Promise<Value> });
    get(key: string): Promise<Value>;
    invalidateCacheFor(key: string): Promise<void>;
  }
}

declare module '@epic-web/cachified' {
  interface Store {
    get(key: string): Promise<unknown>;
    set(key: string, value: unknown): Promise<unknown>;
    delete(key: string): Promise<unknown>;
  }
  export function cachified(options: {
    key: string;
    cache: Store;
    ttl: number;
    getFreshValue: () => Promise<unknown>;
  }): Promise<unknown>;
}

declare module 'cacheable' {
  export class Keyv {
    constructor(options: { store: object; namespace: string });
  }
  export class Cacheable {
    constructor(options: { primary: Keyv; ttl: number });
    getOrSet(key: string, load: () => Promise<unknown>): Promise<unknown>;
    delete(key: string): Promise<boolean>;
  }
}

declare module '@upstash/ratelimit' {
  interface Limiter {
    readonly limiter: unique symbol;
  }
  export class Ratelimit {
    static fixedWindow(tokens: number, window: '60 s'): Limiter;
    constructor(options: {
      redis: import('@upstash/redis').Redis;
      prefix: string;
      limiter: Limiter;
      ephemeralCache: Map<string, number>;
    });
    limit(identifier: string): Promise<{ success: boolean }>;
  }
}

declare module 'rate-limiter-flexible' {
  export class RateLimiterRedis {
    constructor(options: {
      storeClient: unknown;
      keyPrefix: string;
      points: number;
      duration: number;
      blockDuration: number;
      inMemoryBlockOnConsumed: number;
      inMemoryBlockDuration: number;
    });
    /** Rejects with an Error, or with something else where the limit is reached. */
    consume(key: string): Promise<unknown>;
  }
  export class RateLimiterUnion {
    constructor(...limiters: RateLimiterRedis[]);
    consume(key: string): Promise<unknown>;
  }
}

declare module 'jose' {
  export class SignJWT {
    constructor(claims: Record<string, unknown>);
    setProtectedHeader(header: { alg: string; kid?: string }): this;
    setIssuer(issuer: string): this;
    setAudience(audience: string): this;
    setExpirationTime(time: string): this;
    sign(key: Uint8Array | import('node:crypto').KeyObject): Promise<string>;
  }
  export function jwtVerify(token: string, key: Uint8Array | import('node:crypto').KeyObject): Promise<unknown>;
  export function exportJWK(key: import('node:crypto').KeyObject): Promise<{ kty?: string; n?: string; e?: string }>;
}

declare module 'aws-jwt-verify' {
  export class JwtVerifier {
    static create(options: { issuer: string; audience: string; jwksUri: string }): JwtVerifier;
    cacheJwks(keys: { keys: Array<Record<string, unknown>> }): void;
    verifySync(token: string): unknown;
  }
}
