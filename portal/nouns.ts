import type { Noun } from './command.ts';

/** Each is loaded when it is called: a command starts as fast as its own code. */
export const nouns: Record<string, () => Promise<Noun>> = {
  app: async () => (await import('./app.ts')).app,
  plugin: async () => (await import('./plugin.ts')).plugin,
  channel: async () => (await import('./channel.ts')).channel,
  product: async () => (await import('./product.ts')).product,
  merchant: async () => (await import('./merchant.ts')).merchant,
  recharge: async () => (await import('./recharge.ts')).recharge,
  lock: async () => (await import('./lock.ts')).lock,
  data: async () => (await import('./data.ts')).data,
  user: async () => (await import('./user.ts')).user,
  hot: async () => (await import('./hot.ts')).hot,
  'master-key': async () => (await import('./master-key.ts')).masterKey,
  audit: async () => (await import('./audit.ts')).audit,
};
