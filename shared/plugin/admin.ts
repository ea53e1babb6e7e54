import { randomBytes } from 'node:crypto';
import { appOffKey } from '../admission/app-off.ts';
import { insertApp, type NewApp } from '../app/admin.ts';
import { writeStrict } from '../cache/write.ts';
import { query, withTransaction, write } from '../db.ts';
import { EngineError } from '../errors.ts';
import { seal } from '../master-key.ts';
import { outgoingUrl } from '../outgoing-address.ts';
import { batch } from '../redis.ts';
import { appKey, pluginsKey } from '../swept-keys.ts';
import { PLUGIN_ID, sealContext } from './directory.ts';

/** Operators' commands for plugins. Functions do not import this file. */

/** The message is a sentence for the operator. */
export class PluginAdminError extends Error {
  override readonly name = 'PluginAdminError';
}

export interface RegisteredPlugin {
  pluginId: string;
  /** The app of the plugin server. It can only validate tokens of this plugin. */
  appId: string;
  privateKey: string;
  /** `whsec_` + base64. The plugin server verifies pushes with it. */
  pushSecret: string;
}

const newPushSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`;

/** Key and secret are shown only here. Throws PluginAdminError, EngineError. */
export async function registerPlugin(plugin: { pluginId: string; serverUrl: string }): Promise<RegisteredPlugin> {
  const { pluginId, serverUrl } = plugin;
  if (!PLUGIN_ID.test(pluginId)) throw new PluginAdminError('a plugin id is 1 to 64 of A-Z a-z 0-9 _ -');
  checkServerUrl(serverUrl);
  const pushSecret = newPushSecret();
  const sealed = seal(pushSecret, sealContext(pluginId));
  const app = await writeStrict([pluginsKey()], () =>
    withTransaction(async (transaction) => {
      const [known] = await transaction.query('SELECT removed_at FROM plugins WHERE plugin_id = ? FOR UPDATE', [
        pluginId,
      ]);
      if (known && known.removed_at === null) throw existsAlready(pluginId);
      const issued = await insertApp(transaction, pluginApp(pluginId));
      await transaction.write(
        `INSERT INTO plugins (plugin_id, app_id, server_url, sealed_secret) VALUES (?, ?, ?, ?)
         ON DUPLICATE KEY UPDATE app_id = VALUES(app_id), server_url = VALUES(server_url),
           sealed_secret = VALUES(sealed_secret), sealed_old_secret = NULL, old_secret_ends_at = NULL,
           removed_at = NULL, version = version + 1`,
        [pluginId, issued.appId, serverUrl, sealed],
      );
      return issued;
    }),
  );
  return { pluginId, ...app, pushSecret };
}

const pluginApp = (pluginId: string): NewApp => ({
  name: `plugin server of ${pluginId}`,
  methods: ['HMAC-SHA256', 'SHA1'],
  scopes: ['plugin:validate'],
  plugins: [],
  validates: pluginId,
});

function checkServerUrl(serverUrl: string): void {
  if (outgoingUrl(serverUrl) && serverUrl.length <= 500) return;
  throw new PluginAdminError('the server must be an https URL of a public host, without user, password or fragment');
}

const existsAlready = (pluginId: string): PluginAdminError =>
  new PluginAdminError(`plugin ${pluginId} exists already: remove it first, or rotate its secret`);
const isUnknown = (pluginId: string): PluginAdminError => new PluginAdminError(`there is no plugin ${pluginId}`);

interface ListedPlugin {
  pluginId: string;
  appId: string;
  serverUrl: string;
  createdAt: string;
  /** RFC 3339. Until this time the former secret also signs. null: no rotation is in progress. */
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

/**
 * Tokens are no longer issued for it (within 5 s in running functions), and the app of its server is refused at once.
 */
export async function removePlugin(pluginId: string): Promise<void> {
  const plugin = (await listPlugins()).find((known) => known.pluginId === pluginId);
  if (!plugin) throw isUnknown(pluginId);
  await writeStrict([pluginsKey(), appKey(plugin.appId)], () =>
    withTransaction(async (transaction) => {
      await transaction.write(
        'UPDATE apps SET disabled_at = COALESCE(disabled_at, NOW(3)), version = version + 1 WHERE app_id = ?',
        [plugin.appId],
      );
      await transaction.write('UPDATE plugins SET removed_at = NOW(3), version = version + 1 WHERE plugin_id = ?', [
        pluginId,
      ]);
      // Before the commit, because an authorizer may keep the app record for one more minute.
      const [marked] = await batch([['psetex', appOffKey(plugin.appId), appOffKey.family.ttlSeconds * 1000, 'off']]);
      if (marked instanceof EngineError) throw marked;
    }),
  );
}

/** Sends pushes to this URL from now on (within 5 s in running functions). Throws PluginAdminError, EngineError. */
export async function movePlugin(pluginId: string, serverUrl: string): Promise<void> {
  checkServerUrl(serverUrl);
  const { rowsAffected } = await writeStrict([pluginsKey()], () =>
    write('UPDATE plugins SET server_url = ?, version = version + 1 WHERE plugin_id = ? AND removed_at IS NULL', [
      serverUrl,
      pluginId,
    ]),
  );
  if (rowsAffected === 0) throw isUnknown(pluginId);
}

/** The former secret also signs for 24 h more, so that no push is lost before the plugin team deploys the new one. */
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
