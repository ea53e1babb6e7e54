import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createClient, fetchTransport } from '../client/miniapp-client.ts';
import { startTogether } from '../serve/lifecycle/started.ts';
import { createApp, type IssuedApp, listApps, NEW_METHODS, NEW_SCOPES, showApp } from '../shared/app/admin.ts';
import { rotateKey } from '../shared/app/keys.ts';
import { putChannel } from '../shared/channel/admin.ts';
import { logChange } from '../shared/operator-log.ts';
import {
  listPlugins,
  movePlugin,
  type RegisteredPlugin,
  registerPlugin,
  removePlugin,
} from '../shared/plugin/admin.ts';
import { setMerchant } from '../shared/recharge/merchant-admin.ts';
import { writePrivately } from './keys-file.ts';
import { type ChannelSimulator, startChannelSimulator } from './simulators/channel.ts';
import { type PluginServerSimulator, startPluginServer } from './simulators/plugin-server.ts';
import type { MockWechatPay } from './simulators/wechatpay/control.ts';
import { loadIdentity } from './simulators/wechatpay/identity.ts';
import { startMockWechatPay } from './simulators/wechatpay/mock.ts';
import type { Stack } from './stack.ts';

/** Simulators of the servers that a backend calls, so that every feature can be tried on one machine. */
interface Samples {
  plugin: PluginServerSimulator;
  channel: ChannelSimulator;
  wechatpay: MockWechatPay;
  stop(): Promise<void>;
}

export function startSamples(stack: Stack, dataDirectory: string, log: (line: string) => void): Promise<Samples> {
  return startTogether(async (onStop) => {
    const secrets = await registerSamples(dataDirectory, log);
    const { pluginId, pushSecret, ...identity } = secrets.plugin;
    const backend = createClient({ ...identity, baseUrl: stack.url, transport: fetchTransport(fetch) });
    const plugin = await startPluginServer({
      pluginId,
      pushSecrets: [pushSecret],
      validate: (pluginToken) => backend.validatePluginToken(pluginId, pluginToken),
    });
    onStop(() => plugin.stop());
    log(`plugin server of ${pluginId} ${plugin.url}`);
    const channel = await startChannelSimulator({ channel: SAMPLE_CHANNEL });
    onStop(() => channel.stop());
    log(`channel ${SAMPLE_CHANNEL} ${new URL(channel.url).origin}`);
    const wechatpay = await startMockWechatPay({
      identity: loadIdentity(join(dataDirectory, 'wechatpay.json')),
      notifyUrl: `${stack.url}/recharge/notify/wechatpay`,
      refundAfterMs: 2000,
    });
    onStop(() => wechatpay.stop());
    log(`mock-wechatpay ${wechatpay.url}`);
    await pointSamplesAt({ pushUrl: plugin.pushUrl, verifyUrl: channel.url, wechatpay: wechatpay.config });
    return { plugin, channel, wechatpay };
  });
}

/** The sample app and plugin of `npm run dev`. They are kept in the data folder; only its owner can read them. */
interface SampleSecrets {
  app: SampleApp;
  plugin: RegisteredPlugin;
}

/** `keyId`: k1 if there is none. */
type SampleApp = IssuedApp & { keyId?: string };

const SAMPLE_PLUGIN = 'demo-plugin';
const SAMPLE_CHANNEL = 'sample';
const ACTOR = 'npm run dev';
/** The address of the plugin until its server runs: the server needs secrets that the registration makes. */
const NOWHERE = 'http://127.0.0.1:9/push';

/** Registers a sample app and a sample plugin. Every start on this folder uses the same ones. */
export async function registerSamples(dataDirectory: string, log: (line: string) => void): Promise<SampleSecrets> {
  const file = join(dataDirectory, 'samples.json');
  const known = readSamples(file);
  const samples = { app: await sampleApp(known?.app), plugin: await samplePlugin(known?.plugin) };
  await writePrivately(file, samples);
  log(`sample app ${samples.app.appId}, plugin ${samples.plugin.pluginId}: keys in ${file}`);
  return samples;
}

/** Sets the addresses of the simulators, which are new with every start, also of WeChat Pay and its sample merchant. */
export async function pointSamplesAt(addresses: {
  pushUrl: string;
  verifyUrl: string;
  wechatpay?: object;
}): Promise<void> {
  await movePlugin(SAMPLE_PLUGIN, addresses.pushUrl);
  const channel = { channel: SAMPLE_CHANNEL, verifyUrl: addresses.verifyUrl, loginHost: '127.0.0.1', loginPort: 7000 };
  await putChannel(channel, ACTOR);
  if (addresses.wechatpay) await setMerchant('wechatpay', addresses.wechatpay, { actor: ACTOR, force: true });
}

async function sampleApp(known: SampleApp | undefined): Promise<SampleApp> {
  if (known && (await listApps()).some(({ appId }) => appId === known.appId)) return withLiveKey(known);
  return createApp(
    {
      name: 'demo',
      methods: NEW_METHODS,
      scopes: NEW_SCOPES,
      plugins: null,
      validates: null,
    },
    ACTOR,
  );
}

/** The sample app with its key, or with a new one if the key in the file was rotated and ended, or was revoked. */
async function withLiveKey(known: SampleApp): Promise<SampleApp> {
  const { keyId = 'k1' } = known;
  const { keys } = await showApp(known.appId);
  if (keys.some((key) => key.keyId === keyId && key.state === 'live')) return known;
  const renewed = await rotateKey(known.appId, ACTOR);
  return { appId: known.appId, privateKey: renewed.privateKey, keyId: renewed.keyId };
}

async function samplePlugin(known: RegisteredPlugin | undefined): Promise<RegisteredPlugin> {
  const registered = (await listPlugins()).find(({ pluginId }) => pluginId === SAMPLE_PLUGIN);
  if (known && registered?.appId === known.appId) return known;
  if (registered) await removePlugin(SAMPLE_PLUGIN);
  const plugin = await registerPlugin({ pluginId: SAMPLE_PLUGIN, serverUrl: NOWHERE });
  await logChange({ actor: ACTOR, action: 'plugin.add', subject: SAMPLE_PLUGIN, detail: { appId: plugin.appId } });
  return plugin;
}

/** undefined: there are none yet, or they are lost. Then new ones are made. */
function readSamples(file: string): Partial<SampleSecrets> | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as Partial<SampleSecrets>;
  } catch {
    return undefined;
  }
}
