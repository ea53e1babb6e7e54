import { listApps } from '../shared/app/admin.ts';

/** For tables: the name of an app beside its AppID, which nobody knows by heart. '' stays ''. */
export async function appNames(): Promise<(appId: string) => string> {
  const names = new Map((await listApps()).map(({ appId, name }) => [appId, name]));
  return (appId) => (names.has(appId) ? `${names.get(appId)} (${appId})` : appId);
}
