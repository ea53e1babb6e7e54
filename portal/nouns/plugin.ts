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
import { translated } from '../language.ts';
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

const known = async (given: Given) => (await listPlugins()).find(({ pluginId }) => pluginId === given.text('id'));

async function whatMoveReplaces(given: Given): Promise<string[]> {
  const former = await known(given);
  return former ? [`Plugin ${former.pluginId}: pushes will no longer go to ${former.serverUrl}.`] : [];
}

async function whatRemoveEnds(given: Given): Promise<string[]> {
  const former = await known(given);
  if (!former) return [];
  const { pluginId, appId, serverUrl } = former;
  return [
    `Plugin ${pluginId} (${serverUrl}) will be removed: no tokens are issued for it any more, and app ${appId} of its server will be refused.`,
  ];
}

async function whatRotateEnds(given: Given): Promise<string[]> {
  const former = await known(given);
  return former ? [`Plugin ${former.pluginId}: its push secret will end in 24 h.`] : [];
}

async function list({ display }: Given): Promise<Printed> {
  const plugins = await listPlugins();
  const rows = plugins.map((plugin) => [
    plugin.pluginId,
    plugin.serverUrl,
    plugin.appId,
    plugin.rotatesUntil === null
      ? ''
      : translated(`former secret also signs until ${display.time(plugin.rotatesUntil)}`),
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
      destructive: false,
      run: add,
    },
    list: { about: 'Lists the plugins.', options: {}, destructive: false, run: list },
    move: {
      about: 'Sends the pushes of a plugin to another URL.',
      options: { id: ID, server: SERVER },
      destructive: whatMoveReplaces,
      run: move,
    },
    remove: { about: 'Removes a plugin.', options: { id: ID }, destructive: whatRemoveEnds, run: remove },
    'rotate-secret': {
      about: 'Makes a new push secret. The former secret also signs, for 24 h.',
      options: { id: ID },
      destructive: whatRotateEnds,
      run: rotate,
    },
  },
};
