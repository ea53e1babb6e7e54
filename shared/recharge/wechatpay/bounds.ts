import type { TextBound } from '../text-bound.ts';

/**
 * The limits of WeChat Pay for every text that is sent to it, from its pages of "JSAPI下单" and "退款申请". The page of a
 * refund counts the reason in bytes. The page of an order says "characters" for the description and does not say of
 * which encoding; a text that fits in bytes fits under each reading.
 */
export const WECHATPAY_BOUNDS = {
  appid: { most: 32, unit: 'characters' },
  mchid: { most: 32, unit: 'characters' },
  description: { most: 127, unit: 'bytes' },
  out_trade_no: { least: 6, most: 32, unit: 'characters' },
  out_refund_no: { most: 64, unit: 'bytes' },
  notify_url: { most: 255, unit: 'characters' },
  openid: { most: 128, unit: 'characters' },
  reason: { most: 80, unit: 'bytes' },
  /** Of shipping information; the page says 120 letters. */
  item_desc: { most: 120, unit: 'codePoints' },
} as const satisfies Record<string, TextBound>;
