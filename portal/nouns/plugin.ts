import { logChange } from '../../shared/operator-log.ts';
import {
  listPlugins,
  movePlugin,
  registerPlugin,
  removePlugin,
  rotatePluginSecret,
} from '../../shared/plugin/admin.ts';
import { type Given, type Noun, type Printed, required } from '../command.ts';
import { idForm } from '../forms.ts';
import { fields, table } from '../table.ts';

const ID = required('X', 'the plugin');
const SERVER = required('URL', 'URL at which its server receives pushes');
const ONCE = 'Secrets are shown only once: give them to the plugin team.';

const record = (given: Given, action: string, subject: string, detail = {}): Promise<void> =>
  logChange({ actor: given.actor, action, subject, detail });

async function add(given: Given): Promise<Printed> {
  const [pluginId, serverUrl] = [idForm('id', given.text('id')), given.text('server')];
  const registered = await registerPlugin({ pluginId, serverUrl });
  const { appId, privateKey, pushSecret } = registered;
  await record(given, 'plugin.add', pluginId, { serverUrl, appId });
  const text = [...fields({ plugin: pluginId, AppID: appId, privateKey, 'push secret': pushSecret }), ONCE];
  return { json: { pluginId, appId, privateKey, pushSecret }, text };
}

async function list(): Promise<Printed> {
  const plugins = await listPlugins();
  const rows = plugins.map((plugin) => [
    plugin.pluginId,
    plugin.serverUrl,
    plugin.appId,
    plugin.rotatesUntil === null ? '' : `former secret also signs until ${plugin.rotatesUntil}`,
  ]);
  return { json: { plugins }, text: table(['plugin', 'server', 'AppID of its server', ''], rows) };
}

async function move(given: Given): Promise<Printed> {
  const [pluginId, serverUrl] = [given.text('id'), given.text('server')];
  await movePlugin(pluginId, serverUrl);
  await record(given, 'plugin.move', pluginId, { serverUrl });
  return { json: { pluginId, serverUrl }, text: [`Pushes of ${pluginId} go to ${serverUrl} within 5 s.`] };
}

async function remove(given: Given): Promise<Printed> {
  const pluginId = given.text('id');
  await removePlugin(pluginId);
  await record(given, 'plugin.remove', pluginId);
  const text = [`Plugin ${pluginId} is removed: no tokens are issued for it, and the app of its server is refused.`];
  return { json: { pluginId, removed: true }, text };
}

async function rotate(given: Given): Promise<Printed> {
  const rotated = await rotatePluginSecret(given.text('id'));
  await record(given, 'plugin.rotate-secret', rotated.pluginId);
  const text = [
    ...fields({ plugin: rotated.pluginId, 'push secret': rotated.pushSecret }),
    'The former secret also signs, for 24 h.',
    ONCE,
  ];
  return { json: { ...rotated }, text };
}

export const plugin: Noun = {
  about: 'plugins and their servers (rows D1 to D6)',
  verbs: {
    add: {
      about: 'Registers a plugin. Prints its push secret, and the app with which its server validates tokens.',
      options: { id: ID, server: SERVER },
      run: add,
    },
    list: { about: 'Lists the plugins.', options: {}, run: list },
    move: { about: 'Sends the pushes of a plugin to another URL.', options: { id: ID, server: SERVER }, run: move },
    remove: { about: 'Removes a plugin.', options: { id: ID }, run: remove },
    'rotate-secret': {
      about: 'Makes a new push secret. The former secret also signs, for 24 h.',
      options: { id: ID },
      run: rotate,
    },
  },
};
