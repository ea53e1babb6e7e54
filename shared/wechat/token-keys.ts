import { type Key, keyFamily } from '../keys.ts';

/** The keys of the access_token of one mini-program. */

/** The longest life that WeChat gives a token. */
export const TOKEN_LIFE_SECONDS = 7_200;
export const tokenKey = keyFamily<[string]>({
  area: 'cache',
  name: 'wechat-token',
  version: 1,
  parts: ['id'],
  ttlSeconds: TOKEN_LIFE_SECONDS,
});
/** Holds the id of the one caller that asks WeChat, or `pause`. */
export const leaseKey = keyFamily<[string]>({
  area: 'cache',
  name: 'wechat-token-lease',
  version: 1,
  parts: ['id'],
  ttlSeconds: 5,
});
export const countersKey = keyFamily<[string]>({
  area: 'cache',
  name: 'wechat-token-counters',
  version: 1,
  parts: ['id'],
  ttlSeconds: 172_800,
});

export const tokenKeys = (wechatAppid: string): Key[] => [
  tokenKey(wechatAppid),
  leaseKey(wechatAppid),
  countersKey(wechatAppid),
];

/** Longer than one request to WeChat may take. If its holder dies, another caller takes the lease after this time. */
export const LEASE_MS = leaseKey.family.ttlSeconds * 1_000;
