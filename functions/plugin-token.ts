import * as v from 'valibot';
import { endpoint } from '../shared/http/endpoint.ts';
import { serve } from '../shared/http/lambda.ts';
import type { LockRule } from '../shared/lock/rule.ts';
import { pluginFor } from '../shared/plugin/directory.ts';
import { issuePluginToken } from '../shared/plugin/plugin.ts';

/** Each new token causes a request to the server of another team. */
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
    lookup: async ({ path }, app) => ({ plugin: await pluginFor(app, path.pluginId) }),
    rules: [issues],
    success: 'created',
  },
  async ({ plugin, app, user }) => issuePluginToken(plugin, app.appId, user),
);

export const handler = serve(issue);
