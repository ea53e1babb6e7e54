import { randomBytes } from 'node:crypto';
import { appOffKey } from './admission.ts';
import { sealContext as appSealContext } from './app.ts';
import { writeStrict } from './cache-write.ts';
import { query, write } from './db.ts';
import { ER_DUP_ENTRY, SqlError } from './errors.ts';
import { appKey, pluginsKey } from './identity-keys.ts';
import { mintAppId, seal } from './master-key.ts';
import { outgoingUrl } from './outgoing-address.ts';
import { PLUGIN_ID, sealContext } from './plugin-directory.ts';
import { batch } from './redis.ts';

/** What the operator does with plugins. Functions do not import this file. */

/** A sentence for the operator. */
export class PluginAdminError extends Error {
  override readonly name = 'PluginAdminError';
}

export interface RegisteredPlugin {
  pluginId: string;
  /** Of the plugin server's own app, good for validating this plugin's tokens and nothing else. */
  appId: string;
  privateKey: string;
  /** `whsec_` + base64: the plugin server checks pushes by it. */
  pushSecret: string;
}

const newPushSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

/** Keys and secret are told here and never again. Throws PluginAdminError, EngineError. */
export async function registerPlugin(plugin: { pluginId: string; serverUrl: string }): Promise<RegisteredPlugin> {
  const { pluginId, serverUrl } = plugin;
  if (!PLUGIN_ID.test(pluginId)) throw new PluginAdminError('a plugin id is 1 to 64 of A-Z a-z 0-9 _ -');
  if (!outgoingUrl(serverUrl) || serverUrl.length > 500) {
    throw new PluginAdminError('the server must be an https URL of a public host, without user, password or fragment');
  }
  if ((await listPlugins()).some((known) => known.pluginId === pluginId)) throw existsAlready(pluginId);
  const pushSecret = newPushSecret();
  // The app first: until the plugin stands, it is an app that can do nothing.
  const { appId, privateKey } = await createPluginApp(pluginId);
  const written = await writeStrict([pluginsKey()], () =>
    write(`INSERT INTO plugins (plugin_id, app_id, server_url, sealed_secret) VALUES (?, ?, ?, ?)`, [
      pluginId,
      appId,
      serverUrl,
      seal(pushSecret, sealContext(pluginId)),
    ]).catch((error: unknown) => {
      if (!(error instanceof SqlError) || error.errno !== ER_DUP_ENTRY) throw error;
      return takeOverRemoved(pluginId, appId, serverUrl, pushSecret);
    }),
  );
  if (written.rowsAffected === 0) throw existsAlready(pluginId);
  return { pluginId, appId, privateKey, pushSecret };
}

const existsAlready = (pluginId: string): PluginAdminError =>
  new PluginAdminError(`plugin ${pluginId} exists already: remove it first, or rotate its secret`);
const isUnknown = (pluginId: string): PluginAdminError => new PluginAdminError(`there is no plugin ${pluginId}`);

const takeOverRemoved = (pluginId: string, appId: string, serverUrl: string, pushSecret: string) =>
  write(
    `UPDATE plugins SET app_id = ?, server_url = ?, sealed_secret = ?, sealed_old_secret = NULL,
            old_secret_ends_at = NULL, removed_at = NULL, version = version + 1
      WHERE plugin_id = ? AND removed_at IS NOT NULL`,
    [appId, serverUrl, seal(pushSecret, sealContext(pluginId)), pluginId],
  );

async function createPluginApp(pluginId: string): Promise<{ appId: string; privateKey: string }> {
  const appId = mintAppId();
  const privateKey = randomBytes(32).toString('base64url');
  await write(
    `INSERT INTO apps (app_id, name, methods, scopes, validates) VALUES (?, ?, 'HMAC-SHA256,SHA1', 'plugin:validate', ?)`,
    [appId, `plugin server of ${pluginId}`, pluginId],
  );
  const sealed = seal(privateKey, appSealContext(appId, 'k1'));
  await write('INSERT INTO app_keys (app_id, key_id, sealed_key) VALUES (?, ?, ?)', [appId, 'k1', sealed]);
  return { appId, privateKey };
}

export interface ListedPlugin {
  pluginId: string;
  appId: string;
  serverUrl: string;
  createdAt: string;
  /** RFC 3339; until then the former secret signs beside the new one. null: no rotation is under way. */
  rotatesUntil: string | null;
}

export async function listPlugins(): Promise<ListedPlugin[]> {
  const rows = await query(
    `SELECT plugin_id, app_id, server_url, created_at, IF(old_secret_ends_at > NOW(3), old_secret_ends_at, NULL) AS rotates_until
       FROM plugins WHERE removed_at IS NULL ORDER BY plugin_id`,
  );
  return rows.map((row) => ({
    pluginId: String(row.plugin_id),
    appId: String(row.app_id),
    serverUrl: String(row.server_url),
    createdAt: String(row.created_at),
    rotatesUntil: row.rotates_until === null ? null : String(row.rotates_until),
  }));
}

/** No token is issued for it any more (warm functions: within 5 s), and its server's app is refused from now on. */
export async function removePlugin(pluginId: string): Promise<void> {
  const plugin = (await listPlugins()).find((known) => known.pluginId === pluginId);
  if (!plugin) throw isUnknown(pluginId);
  await writeStrict([pluginsKey(), appKey(plugin.appId)], async () => {
    const mark = appOffKey(plugin.appId);
    await batch([['psetex', mark, appOffKey.family.ttlSeconds * 1000, 'off']]);
    await write('UPDATE apps SET disabled_at = COALESCE(disabled_at, NOW(3)), version = version + 1 WHERE app_id = ?', [
      plugin.appId,
    ]);
    await write('UPDATE plugins SET removed_at = NOW(3), version = version + 1 WHERE plugin_id = ?', [pluginId]);
  });
}

/** The former secret signs beside the new one for 24 h more, so that no push is lost while the plugin team deploys. */
export async function rotatePluginSecret(pluginId: string): Promise<{ pluginId: string; pushSecret: string }> {
  const pushSecret = newPushSecret();
  const { rowsAffected } = await writeStrict([pluginsKey()], () =>
    write(
      `UPDATE plugins SET sealed_old_secret = sealed_secret, old_secret_ends_at = NOW(3) + INTERVAL 24 HOUR,
              sealed_secret = ?, version = version + 1
        WHERE plugin_id = ? AND removed_at IS NULL`,
      [seal(pushSecret, sealContext(pluginId)), pluginId],
    ),
  );
  if (rowsAffected === 0) throw isUnknown(pluginId);
  return { pluginId, pushSecret };
}
