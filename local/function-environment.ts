import type { Keys } from './keys-file.ts';

export const WECHAT_APPID = 'wx0000000000000000';
/** A shell that is set up for a deployed stage must not lend its values to a local run. */
const NEVER_INHERITED = ['MASTER_KEY_OLD', 'DATABASE_REPLICA_URL', 'SANDBOX_KEY'];

export interface Addresses {
  /** With its credentials. */
  databaseUrl: string;
  /** Absent where MySQL has no replica. */
  replicaUrl?: string;
  redisUrl: string;
  wechatUrl: string;
  sandbox: boolean;
}

/** What serverless.yml gives the functions of a deployed stage, for a local run: the names are the same. */
export function functionEnvironment(keys: Keys, addresses: Addresses): Record<string, string> {
  return {
    STAGE: 'dev',
    UPSTASH_REDIS_REST_URL: addresses.redisUrl,
    UPSTASH_REDIS_REST_TOKEN: keys.redisToken,
    DATABASE_URL: addresses.databaseUrl,
    ...(addresses.replicaUrl && { DATABASE_REPLICA_URL: addresses.replicaUrl }),
    // A laptop that builds, sleeps and swaps is slower than what a deployment may wait for.
    REDIS_TIMEOUT_MS: '2000',
    MYSQL_TIMEOUT_MS: '10000',
    MASTER_KEY: keys.masterKey,
    SERVER_KEY: keys.serverKey,
    ...(addresses.sandbox && { SANDBOX_KEY: keys.sandboxKey }),
    WECHAT_APPID,
    WECHAT_SECRET: keys.wechatSecret,
    WECHAT_API_URL: addresses.wechatUrl,
    PLUGIN_PRIVATE_ADDRESSES: 'allow',
  };
}

/** Makes it the environment of this process, before any function is loaded. */
export function takeEnvironment(env: Record<string, string>): void {
  for (const name of NEVER_INHERITED) delete process.env[name];
  Object.assign(process.env, env);
}
