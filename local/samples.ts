import { join } from 'node:path';
import { createClient, fetchTransport } from '../client/miniapp-client.ts';
import { pointSamplesAt, registerSamples, SAMPLE_CHANNEL } from '../portal/samples.ts';
import { startTogether } from '../serve/lifecycle/started.ts';
import { type ChannelSimulator, startChannelSimulator } from './simulators/channel.ts';
import { type PluginServerSimulator, startPluginServer } from './simulators/plugin-server.ts';
import { keptIdentity } from './simulators/wechatpay/identity.ts';
import { type MockWechatPay, startMockWechatPay } from './simulators/wechatpay/mock.ts';
import type { Stack } from './stack.ts';

/** Those that a mini-program's backend talks to, in small: they make every story playable on one machine. */
export interface Samples {
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
      identity: keptIdentity(join(dataDirectory, 'wechatpay.json')),
      notifyUrl: `${stack.url}/recharge/notify/wechatpay`,
      refundAfterMs: 2000,
    });
    onStop(() => wechatpay.stop());
    log(`mock-wechatpay ${wechatpay.url}`);
    await pointSamplesAt({ pushUrl: plugin.pushUrl, verifyUrl: channel.url, wechatpay: wechatpay.config });
    return { plugin, channel, wechatpay };
  });
}
