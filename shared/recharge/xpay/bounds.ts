import type { TextBound } from '../text-bound.ts';

/** The limits of virtual payment for every text that is signed. */
export const XPAY_BOUNDS = {
  appid: { most: 32, unit: 'characters' },
  offerId: { most: 64, unit: 'characters' },
  outTradeNo: { least: 8, most: 32, unit: 'characters' },
  productId: { most: 64, unit: 'characters' },
  attach: { least: 0, most: 1024, unit: 'bytes' },
  bizMeta: { least: 0, most: 1024, unit: 'bytes' },
} as const satisfies Record<string, TextBound>;
