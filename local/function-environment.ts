import type { Keys } from './keys-file.ts';

export const WECHAT_APPID = 'wx0000000000000000';
/** Variables of a deployed stage that a local run must not take from the shell. */
const NEVER_INHERITED = [
  'MASTER_KEY_OLD',
  'SIGNING_KEY_OLD',
  'DATABASE_REPLICA_URL',
  'SANDBOX_KEY',
  'UPLOADS_PUBLIC_URL',
];

export interface Addresses {
  /** With its credentials. */
  databaseUrl: string;
  /** undefined: MySQL has no replica. */
  replicaUrl?: string;
  redisUrl: string;
  wechatUrl: string;
  /** undefined: uploads are off. */
  store?: { url: string; bucket: string; region: string; keyId: string; secret: string };
  sandbox: boolean;
}

/** The environment of the functions in a local run. It has the same names as serverless.yml. */
export function functionEnvironment(keys: Keys, addresses: Addresses): Record<string, string> {
  return {
    STAGE: 'dev',
    UPSTASH_REDIS_REST_URL: addresses.redisUrl,
    UPSTASH_REDIS_REST_TOKEN: keys.redisToken,
    DATABASE_URL: addresses.databaseUrl,
    ...(addresses.replicaUrl && { DATABASE_REPLICA_URL: addresses.replicaUrl }),
    // Longer timeouts than in a deployment: a laptop may be slow while it builds, swaps or wakes up.
    REDIS_TIMEOUT_MS: '2000',
    MYSQL_TIMEOUT_MS: '10000',
    MASTER_KEY: keys.masterKey,
    SERVER_KEY: keys.serverKey,
    SIGNING_KEY: keys.signingKey,
    ...(addresses.sandbox && { SANDBOX_KEY: keys.sandboxKey }),
    WECHAT_APPID,
    WECHAT_SECRET: keys.wechatSecret,
    WECHAT_API_URL: addresses.wechatUrl,
    PLUGIN_PRIVATE_ADDRESSES: 'allow',
    ...storeEnvironment(addresses.store),
  };
}

function storeEnvironment(store: Addresses['store']): Record<string, string> {
  if (!store) return {};
  return {
    UPLOADS_ENDPOINT: store.url,
    UPLOADS_BUCKET: store.bucket,
    UPLOADS_REGION: store.region,
    UPLOADS_KEY_ID: store.keyId,
    UPLOADS_SECRET: store.secret,
    UPLOADS_TIMEOUT_MS: '10000',
  };
}

/** Sets it as the environment of this process. Call it before any function is loaded. */
export function takeEnvironment(env: Record<string, string>): void {
  for (const name of NEVER_INHERITED) delete process.env[name];
  Object.assign(process.env, env);
}
