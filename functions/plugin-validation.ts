import * as v from 'valibot';
import { endpoint } from '../shared/http/endpoint.ts';
import { serve } from '../shared/http/lambda.ts';
import { checkPluginToken, parsePluginToken, readsOfPluginToken } from '../shared/plugin/token.ts';

const validate = endpoint(
  {
    route: 'POST /plugins/{pluginId}/validate',
    auth: 'app',
    scope: 'plugin:validate',
    // One server asks for all users of its plugin.
    callLimits: { address: 30_000 },
    // The server of a plugin may only ask about tokens of this plugin.
    permits: ({ pluginId }, app) => pluginId !== undefined && app.validates === pluginId,
    path: v.object({ pluginId: v.string() }),
    body: v.strictObject({ pluginToken: v.string() }),
    lookup: ({ body }) => ({ presented: parsePluginToken(body.pluginToken) }),
    reads: ({ presented }) => (presented ? readsOfPluginToken(presented) : []),
  },
  async ({ path, presented, reads }) => {
    const grant = presented && (await checkPluginToken(presented, path.pluginId, reads));
    return grant ? { active: true, ...grant, pluginId: path.pluginId } : { active: false };
  },
);

export const handler = serve(validate);
