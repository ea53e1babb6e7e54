import { query } from '../db.ts';
import { AppError } from '../errors.ts';
import { defaultProgramId } from './mini-program.ts';

/** What operators may see of a mini-program. */

interface ShownSecrets {
  /** Where the secret that is tried first is. */
  secret: 'stored' | 'environment' | 'none';
  hasFormerSecret: boolean;
  hasPush: boolean;
  /** RFC 3339; null: nothing of it is stored. */
  changedAt: string | null;
}

/** What there is of a mini-program, never a secret. */
export async function showSecrets(wechatAppid: string): Promise<ShownSecrets> {
  const [row] = await query(
    `SELECT sealed_secret IS NOT NULL AS secret, sealed_former_secret IS NOT NULL AS former,
            sealed_push IS NOT NULL AS push, updated_at FROM mini_programs WHERE wechat_appid = ?`,
    [wechatAppid],
  );
  const ofEnvironment = wechatAppid === defaultProgramId() ? 'environment' : 'none';
  return {
    secret: Number(row?.secret) === 1 ? 'stored' : ofEnvironment,
    hasFormerSecret: Number(row?.former) === 1,
    hasPush: Number(row?.push) === 1,
    changedAt: row ? String(row.updated_at) : null,
  };
}

interface ShownMiniProgram extends ShownSecrets {
  appId: string;
  name: string;
  /** null: neither the app nor the deployment has one. */
  wechatAppid: string | null;
  /** The app has none of its own. */
  isDefault: boolean;
  /** The other apps that name this mini-program. */
  otherApps: string[];
}

/** The mini-program of an app. Throws NOT_FOUND. */
export async function showMiniProgram(appId: string): Promise<ShownMiniProgram> {
  const [app] = await query('SELECT name, wechat_appid FROM apps WHERE app_id = ?', [appId]);
  if (!app) throw new AppError('NOT_FOUND', `There is no app ${appId}; "app list" lists all apps.`);
  const wechatAppid = (app.wechat_appid as string | null) ?? defaultProgramId() ?? null;
  const others = await query('SELECT app_id FROM apps WHERE wechat_appid = ? AND app_id <> ? ORDER BY app_id', [
    wechatAppid,
    appId,
  ]);
  return {
    appId,
    name: String(app.name),
    wechatAppid,
    isDefault: app.wechat_appid === null,
    ...(await showSecrets(wechatAppid ?? '')),
    otherApps: others.map(({ app_id }) => String(app_id)),
  };
}
