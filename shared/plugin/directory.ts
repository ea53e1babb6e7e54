import { type CachePolicy, type Loaded, readThrough } from '../cache/cache.ts';
import { query } from '../db.ts';
import { AppError } from '../errors.ts';
import { LocalCache } from '../local-cache.ts';
import { unseal } from '../master-key.ts';
import { pluginsKey } from '../swept-keys.ts';

/**
 * Row D4 (plugin server): the map from plugin id to plugin server. It is cached as one value. So an unknown plugin id
 * needs no question to MySQL and no null marker, however many ids a caller invents.
 */
export interface Plugin {
  pluginId: string;
  /** Receives the pushes; clients also get this URL. */
  serverUrl: string;
  /** `whsec_` + base64. All secrets that sign now, the newest first. */
  pushSecrets: string[];
}

/** The cached form: secrets stay sealed in Redis, as in MySQL. */
interface PluginRecord {
  pluginId: string;
  serverUrl: string;
  sealed: string;
  sealedOld: string | null;
  /** RFC 3339 */
  oldEndsAt: string | null;
}

export const PLUGIN_ID = /^[A-Za-z0-9_-]{1,64}$/;
export const sealContext = (pluginId: string): string => `plugin:${pluginId}:push`;

const POLICY: CachePolicy = { freshSeconds: 300, graceSeconds: 300, nullSeconds: 30 };

/** Holds only plugins that were found, so that a process does not call a new plugin unknown. */
const warm = new LocalCache<Plugin>(1_000, 5_000);

/** null: there is none. Read from the process, Redis or MySQL (0, 1 or 2 requests to Redis). Throws EngineError. */
export async function findPlugin(pluginId: string, now = Date.now()): Promise<Plugin | null> {
  if (!PLUGIN_ID.test(pluginId)) return null;
  const known = warm.get(pluginId, now);
  if (known) return known;
  const [found] = await readThrough<PluginRecord[]>([pluginsKey()], POLICY, async () => [await loadPlugins()]);
  const record = found?.value?.find((candidate) => candidate.pluginId === pluginId);
  if (!record) return null;
  const plugin = openRecord(record, now);
  warm.set(pluginId, plugin, now);
  return plugin;
}

/**
 * The plugin for an app that issues its tokens. A plugin that is not on the app's list is unknown. Throws
 * UNKNOWN_PLUGIN.
 */
export async function pluginFor(app: { mayIssueFor(pluginId: string): boolean }, pluginId: string): Promise<Plugin> {
  const plugin = app.mayIssueFor(pluginId) ? await findPlugin(pluginId) : null;
  if (!plugin) throw new AppError('UNKNOWN_PLUGIN');
  return plugin;
}

function openRecord({ pluginId, serverUrl, sealed, sealedOld, oldEndsAt }: PluginRecord, now: number): Plugin {
  const signing = sealedOld !== null && Date.parse(oldEndsAt ?? '') > now ? [sealed, sealedOld] : [sealed];
  return { pluginId, serverUrl, pushSecrets: signing.map((secret) => unseal(secret, sealContext(pluginId))) };
}

async function loadPlugins(): Promise<Loaded<PluginRecord[]>> {
  const rows = await query<Record<string, string | number | null>>(
    `SELECT plugin_id, server_url, sealed_secret, sealed_old_secret, old_secret_ends_at, removed_at, version
       FROM plugins ORDER BY plugin_id`,
  );
  const registered = rows.filter((row) => row.removed_at === null);
  const value = registered.map((row) => ({
    pluginId: String(row.plugin_id),
    serverUrl: String(row.server_url),
    sealed: String(row.sealed_secret),
    sealedOld: row.sealed_old_secret as string | null,
    oldEndsAt: row.old_secret_ends_at as string | null,
  }));
  // The highest version of all rows, also of removed ones, so that a fill cannot overlook a removal.
  return { value, version: Math.max(0, ...rows.map((row) => Number(row.version))) };
}
