import { type CachePolicy, type Loaded, readThrough } from '../cache/cache.ts';
import { query } from '../db.ts';
import { LocalCache } from '../local-cache.ts';
import { isGenuineAppId, unseal } from '../master-key.ts';
import { appKey } from '../swept-keys.ts';
import type { AppMethod } from './access-token.ts';
import { type SigningKey, signingKey } from './signature.ts';

/** The scopes of apps (row A1 (identity and permission)). */
export const SCOPES = [
  'login',
  'register',
  'plugin:issue',
  'plugin:validate',
  'data:read',
  'data:own',
  'data:write',
  'recharge',
  'wallet:read',
  'wallet:write',
  'wallet:grant',
  'wechat:token',
] as const;
export type Scope = (typeof SCOPES)[number];
/** What a public app may call by its name alone, before a login. Only public apps have them. */
export const OPEN_SCOPES = ['open:wechat', 'open:password', 'open:register', 'open:channel', 'open:data'] as const;
export type OpenScope = (typeof OPEN_SCOPES)[number];

export interface AppKey extends SigningKey {
  keyId: string;
}

export interface App {
  appId: string;
  /** The live keys, at most two, the newest first. A public app has none. */
  keys: AppKey[];
  methods: AppMethod[];
  scopes: Array<Scope | OpenScope>;
  /** Plugins it may issue tokens for; null: all. */
  plugins: string[] | null;
  /** The one plugin whose tokens this app validates; null: it is not the app of a plugin server. */
  validates: string | null;
  /** What users may spend by themselves: any amount, priced items, or nothing. */
  clientSpend: ClientSpend;
  /** The app whose wallets and records it works on; null: its own. */
  actsFor: string | null;
  disabled: boolean;
}

export const CLIENT_SPENDS = ['free', 'items', 'off'] as const;
export type ClientSpend = (typeof CLIENT_SPENDS)[number];

/** The cached form: keys stay sealed in Redis, as in MySQL. */
interface AppRecord extends Omit<App, 'keys' | 'clientSpend' | 'actsFor'> {
  /** Absent in a record of the former release. */
  clientSpend?: ClientSpend;
  actsFor?: string | null;
  keys: Array<{ keyId: string; sealed: string; endsAt: string | null }>;
}

const POLICY: CachePolicy = { freshSeconds: 300, graceSeconds: 300, nullSeconds: 30 };

export const sealContext = (appId: string, keyId: string): string => `app:${appId}:${keyId}`;

/** Kept for 60 s from the start of its load. No other entry of L1 may live so long. */
const warm = new LocalCache<App>(1_000, 60_000);

/** A refusal by a cached record reads the app again, at most once in this time, so that a new key works at once. */
const justRead = new LocalCache<true>(1_000, 5_000);

/**
 * The app with this id. null: there is none; for an invented AppID this is computed without any engine. Otherwise it is
 * read from the process, Redis or MySQL (0, 1 or 2 requests to Redis). Throws EngineError if no engine can answer.
 */
export const findApp = async (appId: string, now = Date.now()): Promise<App | null> =>
  warm.get(appId, now) ?? (isGenuineAppId(appId) ? readApp(appId, now) : null);

/** Reads the app again if the record in the process is older than 5 s. undefined: the record is newer than that. */
export const findFresherApp = async (appId: string, now = Date.now()): Promise<App | null | undefined> =>
  justRead.get(appId, now) ? undefined : readApp(appId, now);

async function readApp(appId: string, now: number): Promise<App | null> {
  const [found] = await readThrough<AppRecord>([appKey(appId)], POLICY, async () => [await loadApp(appId)]);
  if (!found?.value) return null;
  const app = openRecord(found.value, now);
  warm.set(appId, app, now);
  justRead.set(appId, true, now);
  return app;
}

function openRecord(record: AppRecord, now: number): App {
  const alive = record.keys.filter(({ endsAt }) => endsAt === null || Date.parse(endsAt) > now);
  const keys = alive.map(({ keyId, sealed }) => ({
    keyId,
    ...signingKey(record.appId, unseal(sealed, sealContext(record.appId, keyId))),
  }));
  return { ...record, keys, clientSpend: record.clientSpend ?? 'free', actsFor: record.actsFor ?? null };
}

async function loadApp(appId: string): Promise<Loaded<AppRecord>> {
  const rows = await query<Record<string, string | number | null>>(
    `SELECT a.app_id, a.methods, a.scopes, a.plugins, a.validates, a.client_spend, a.acts_for,
            a.disabled_at, a.version, k.key_id, k.sealed_key, k.ends_at
       FROM apps a LEFT JOIN app_keys k
         ON k.app_id = a.app_id AND k.revoked_at IS NULL AND (k.ends_at IS NULL OR k.ends_at > NOW(3))
      WHERE a.app_id = ? ORDER BY k.created_at DESC, k.key_id LIMIT 2`,
    [appId],
  );
  const [first] = rows;
  if (!first) return { value: null, version: 0 };
  const list = (text: unknown): string[] => (typeof text === 'string' ? text.split(',').filter(Boolean) : []);
  const record: AppRecord = {
    appId,
    keys: rows.flatMap((row) =>
      row.key_id === null
        ? []
        : [{ keyId: String(row.key_id), sealed: String(row.sealed_key), endsAt: row.ends_at as string | null }],
    ),
    methods: list(first.methods) as AppMethod[],
    scopes: list(first.scopes) as App['scopes'],
    plugins: first.plugins === null ? null : list(first.plugins),
    validates: first.validates as string | null,
    clientSpend: first.client_spend as ClientSpend,
    actsFor: first.acts_for as string | null,
    disabled: first.disabled_at !== null,
  };
  return { value: record, version: Number(first.version) };
}
