import { join } from 'node:path';
import { type ChannelSimulator, startChannelSimulator } from './simulators/channel.ts';
import { type PluginServerSimulator, startPluginServer } from './simulators/plugin-server.ts';
import { type MockWechatPay, startMockWechatPay } from './simulators/wechatpay.ts';
import { keptIdentity } from './simulators/wechatpay-identity.ts';
import type { Stack } from './stack.ts';
import { startTogether } from './started.ts';

/** Those that a mini-program's backend talks to, in small: they make every story playable on one machine. */
export interface Samples {
  plugin: PluginServerSimulator;
  channel: ChannelSimulator;
  wechatpay: MockWechatPay;
  stop(): Promise<void>;
}

export const SAMPLE_PLUGIN = 'weather';
export const SAMPLE_CHANNEL = 'sample';

export function startSamples(stack: Stack, dataDirectory: string, log: (line: string) => void): Promise<Samples> {
  return startTogether(async (onStop) => {
    const plugin = await startPluginServer({ pluginId: SAMPLE_PLUGIN, pushSecrets: [stack.pluginPushSecret] });
    onStop(() => plugin.stop());
    log(`plugin server of ${SAMPLE_PLUGIN} ${plugin.url}`);
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
    await registerSamples(stack, { plugin, channel, wechatpay });
    return { plugin, channel, wechatpay };
  });
}

/**
 * The place where a sample app, plugin, channel and merchant are registered through the portal's code. Their addresses
 * are new with every start, so each start registers them anew.
 */
async function registerSamples(_stack: Stack, _samples: Omit<Samples, 'stop'>): Promise<void> {}
