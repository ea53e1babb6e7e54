import * as v from 'valibot';
import { AppError } from '../shared/errors.ts';
import type { CallingApp } from '../shared/http/caller.ts';
import { endpoint } from '../shared/http/endpoint.ts';
import { serve } from '../shared/http/lambda.ts';
import type { LockRule } from '../shared/lock/rule.ts';
import { findPlugin, type Plugin } from '../shared/plugin/directory.ts';
import { issuePluginToken } from '../shared/plugin/plugin.ts';

/** Each issue is a request to somebody else's server. */
const issues: LockRule = {
  name: 'plugin-tokens',
  by: ['app', 'user'],
  limit: 60,
  windowSeconds: 60,
  count: 'call',
  onError: 'closed',
};

const issue = endpoint(
  {
    route: 'POST /plugins/{pluginId}/token',
    auth: 'user',
    scope: 'plugin:issue',
    path: v.object({ pluginId: v.string() }),
    precheck: async ({ path }, app) => void (await pluginOf(app, path.pluginId)),
    rules: [issues],
    success: 'created',
  },
  async ({ path, app, user }) => issuePluginToken(await pluginOf(app, path.pluginId), app.appId, user),
);

/** A plugin that is not on the app's list does not exist for it. Throws UNKNOWN_PLUGIN. */
async function pluginOf(app: CallingApp, pluginId: string): Promise<Plugin> {
  const plugin = app.mayIssueFor(pluginId) ? await findPlugin(pluginId) : null;
  if (!plugin) throw new AppError('UNKNOWN_PLUGIN');
  return plugin;
}

export const handler = serve(issue);
