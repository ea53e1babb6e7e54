import type { Noun } from './command.ts';

/** Each noun is loaded only when it is used, so that a command starts quickly. */
export const nouns: Record<string, () => Promise<Noun>> = {
  app: async () => (await import('./nouns/app.ts')).app,
  plugin: async () => (await import('./nouns/plugin.ts')).plugin,
  channel: async () => (await import('./nouns/channel.ts')).channel,
  item: async () => (await import('./nouns/item.ts')).item,
  product: async () => (await import('./nouns/product.ts')).product,
  merchant: async () => (await import('./nouns/merchant.ts')).merchant,
  recharge: async () => (await import('./nouns/recharge.ts')).recharge,
  wechat: async () => (await import('./nouns/wechat.ts')).wechat,
  lock: async () => (await import('./nouns/lock.ts')).lock,
  data: async () => (await import('./nouns/data.ts')).data,
  user: async () => (await import('./nouns/user.ts')).user,
  health: async () => (await import('./nouns/health.ts')).health,
  hot: async () => (await import('./nouns/hot.ts')).hot,
  'master-key': async () => (await import('./nouns/master-key.ts')).masterKey,
  completion: async () => (await import('./nouns/completion.ts')).completionOf(nouns),
  'operator-log': async () => (await import('./nouns/operator-log.ts')).operatorLog,
};
