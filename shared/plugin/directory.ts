import { type CachePolicy, type Loaded, readThrough } from '../cache/cache.ts';
import { query } from '../db.ts';
import { AppError } from '../errors.ts';
import { LocalCache } from '../local-cache.ts';
import { unseal } from '../master-key.ts';
import { pluginsKey } from '../swept-keys.ts';

/**
 * Row D4: the preset map plugin id -> plugin server. It is cached whole: a plugin id that nobody registered is known
 * to be absent without a question to MySQL and without a null marker, however many of them a caller invents.
 */
export interface Plugin {
  pluginId: string;
  /** Takes the pushes; clients are told it. */
  serverUrl: string;
  /** `whsec_` + base64, all that sign now: the newest first. */
  pushSecrets: string[];
}

/** As cached: secrets stay sealed in Redis as they are in MySQL. */
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

/** Found ones only: a plugin that was just registered is never called unknown by a warm process. */
const warm = new LocalCache<Plugin>(1_000, 5_000);

/** null: there is none. From the process, else Redis, else MySQL (0, 1 or 2 requests to Redis). Throws EngineError. */
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

/** The plugin for an app that issues tokens of it. One that is not on the app's list is not known. Throws UNKNOWN_PLUGIN. */
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
  // As new as any of its rows: removed ones count too, since a removal is what a fill must not overlook.
  return { value, version: Math.max(0, ...rows.map((row) => Number(row.version))) };
}
