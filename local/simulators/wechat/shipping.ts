import type { AccessTokens } from './access-tokens.ts';
import { bodyOf, type WechatInterface, WechatRefusal } from './answers.ts';

/**
 * Shipping information of orders that were paid through WeChat Pay:
 * https://developers.weixin.qq.com/miniprogram/dev/server/API/order_shipping/api_istrademanaged and
 * https://developers.weixin.qq.com/miniprogram/dev/server/API/order_shipping/api_uploadshippinginfo (read on
 * 2026-11-28). An order can be corrected once. The simulator knows every order: the refusals for an unknown order
 * (10060001) and a settled one (10060004) are planned.
 */
interface Shipping {
  isTradeManaged: WechatInterface;
  uploadShippingInfo: WechatInterface;
  setTradeManaged(appid: string, isManaged: boolean): void;
  /** What was accepted, in order. */
  uploads(): ReadonlyArray<Record<string, unknown>>;
}

const MAX_ITEM_DESC = 120;

export function createShipping(tokens: Pick<AccessTokens, 'appidOf'>): Shipping {
  const managed = new Set<string>();
  const uploads: Record<string, unknown>[] = [];
  const uploadsOfOrder = new Map<string, number>();

  return {
    isTradeManaged({ query, body }) {
      const caller = tokens.appidOf(query);
      const { appid } = bodyOf(body);
      if (!appid) throw new WechatRefusal(40097);
      if (appid !== caller) throw new WechatRefusal(40013);
      return { errcode: 0, errmsg: 'ok', is_trade_managed: managed.has(caller) };
    },
    uploadShippingInfo({ query, body }) {
      const appid = tokens.appidOf(query);
      const info = bodyOf(body);
      const order = orderOf(info.order_key);
      if (!isUnifiedList(info.shipping_list)) throw new WechatRefusal(268485224);
      const times = (uploadsOfOrder.get(`${appid} ${order}`) ?? 0) + 1;
      if (times > 2) throw new WechatRefusal(10060003);
      uploadsOfOrder.set(`${appid} ${order}`, times);
      uploads.push(info);
      return { errcode: 0, errmsg: 'ok' };
    },
    setTradeManaged: (appid, isManaged) => void (isManaged ? managed.add(appid) : managed.delete(appid)),
    uploads: () => uploads,
  };
}

/** Type 1: the merchant's number of the order. Type 2: WeChat Pay's. Throws WechatRefusal 47001. */
function orderOf(orderKey: unknown): string {
  const key = (orderKey ?? {}) as Record<string, unknown>;
  if (key.order_number_type === 1 && key.mchid && key.out_trade_no) return `${key.mchid} ${key.out_trade_no}`;
  if (key.order_number_type === 2 && key.transaction_id) return String(key.transaction_id);
  throw new WechatRefusal(47001);
}

/** Unified delivery: one parcel for the whole order. */
function isUnifiedList(list: unknown): boolean {
  if (!Array.isArray(list) || list.length !== 1) return false;
  const { item_desc } = (list[0] ?? {}) as Record<string, unknown>;
  return typeof item_desc === 'string' && item_desc !== '' && [...item_desc].length <= MAX_ITEM_DESC;
}
