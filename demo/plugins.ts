import { freePort } from '../local/engines/process.ts';
import { type PluginServerSimulator, startPluginServer } from '../local/simulators/plugin-server.ts';
import type { Scene } from './scene.ts';
import { answers, must } from './story.ts';
import { DEMO } from './users.ts';

interface Plugin {
  pluginId: string;
  appId: string;
  privateKey: string;
  server: PluginServerSimulator;
}

/** Rows D1 to D6 (plugins): a plugin gets a token of its own, and its server accepts that token. */
export async function pluginTokens(scene: Scene): Promise<void> {
  const plugins: Plugin[] = [];
  try {
    // The operator registers the server of each plugin before the first call.
    for (const name of ['weather', 'maps']) plugins.push(await addPlugin(scene, `demo-${name}-${scene.run}`));
    await tokensOf(scene, plugins as [Plugin, Plugin]);
  } finally {
    for (const { pluginId, server } of plugins) {
      await server.stop();
      await scene.portal('plugin', 'remove', '--id', pluginId);
    }
  }
}

async function addPlugin({ portal }: Scene, pluginId: string): Promise<Plugin> {
  // The port is chosen first: the portal needs the address, and the server needs the secret of the portal.
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/push`;
  const { appId, privateKey, pushSecret } = await portal('plugin', 'add', '--id', pluginId, '--server', url);
  return {
    pluginId,
    appId,
    privateKey,
    server: await startPluginServer({ pluginId, pushSecrets: [pushSecret], port }),
  };
}

async function tokensOf({ story, caller, tape, app }: Scene, [weather, maps]: [Plugin, Plugin]): Promise<void> {
  const { step } = story;
  const sdk = caller.sdk(app);
  const { token: session } = await sdk.login(DEMO);
  const issuing = `/plugins/${weather.pluginId}/token`;
  const serve = (pluginToken: string, plugin: Plugin, remark: string) =>
    tape.send('GET', `${plugin.server.url}/service`, { 'plugin-token': pluginToken }, undefined, remark);
  const validate = (plugin: Plugin, caughtBy: Plugin, pluginToken: string) =>
    caller.call(caughtBy, 'POST', `/plugins/${plugin.pluginId}/validate`, { body: { pluginToken } });

  await step('D1 D2', 'the session token is checked before anything else', async () => {
    answers(await caller.call(app, 'POST', issuing, { remark: 'no session token' }), 401, 'LOGIN_REQUIRED');
    answers(await caller.call(app, 'POST', '/plugins/no-such-plugin/token', { session }), 404, 'UNKNOWN_PLUGIN');
    must(weather.server.received.length === 0, 'nothing was pushed');
  });
  const pluginToken = await step(
    'D1 D3 D4',
    'a token for this plugin: pushed to its server, then sent to the client',
    async () => {
      const issued = answers(await caller.call(app, 'POST', issuing, { session }), 201);
      must(weather.server.received.length === 1, 'the plugin’s server got one push');
      const { webhookId, body, status } = weather.server.received[0] ?? {};
      must(
        status === 200 && !body?.includes(issued.pluginToken),
        'it was accepted, and contains only a hash of the token',
      );
      tape.note(`push to ${weather.pluginId} ${webhookId}`, `${status} ${JSON.parse(body ?? '{}').type}`);
      return issued.pluginToken as string;
    },
  );
  await step(
    'D5 D6',
    'the plugin calls its server with the token; the business server gets no request',
    async () => {
      must((await serve(pluginToken, weather, 'the plugin’s server')).status === 200, 'it is served');
      must((await serve(pluginToken, weather, 'again')).status === 200, 'and again');
    },
    { redis: 0, mysql: 0 },
  );
  await step('D6', 'another plugin refuses the token; an invented token is refused too', async () => {
    must(
      (await serve(pluginToken, maps, 'the server of another plugin')).status === 401,
      'refused by the other server',
    );
    must((await serve(`${pluginToken.slice(0, -6)}AAAAAA`, weather, 'invented')).status === 401, 'refused');
  });
  await step('D6', 'a plugin server may validate tokens of its own plugin only', async () => {
    must(answers(await validate(weather, weather, pluginToken), 200).active === true, 'its own: active');
    must(answers(await validate(maps, maps, pluginToken), 200).active === false, 'another plugin’s: not active');
    answers(await validate(weather, maps, pluginToken), 403, 'SCOPE_DENIED');
  });
  await step('D2 D6', 'a logout ends the plugin tokens of the session', async () => {
    await sdk.logout();
    must(answers(await validate(weather, weather, pluginToken), 200).active === false, 'no longer active');
    must((await serve(pluginToken, weather, 'after the logout')).status === 401, 'its server refuses it');
  });
}
