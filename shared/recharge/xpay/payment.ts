import { createHmac } from 'node:crypto';
import { fits } from '../text-bound.ts';
import { XPAY_BOUNDS as BOUNDS } from './bounds.ts';

/**
 * Virtual payment of mini-programs. The server makes no order at WeChat: it only signs what the client then passes to
 * `wx.requestVirtualPayment`. WeChat reports the purchase by message push (notification.ts).
 */

interface XpayConfig {
  readonly offerId: string;
  /** 0: real money, 1: the sandbox. Each has its own appKey. */
  readonly env: 0 | 1;
  readonly appKey: string;
}

type XpayOrder = {
  /** Of `[0-9A-Za-z_-|*@]`, not beginning with `_`. WeChat does not check that it is unique, so we do. */
  readonly outTradeNo: string;
  readonly quantity: number;
  /** WeChat returns it unchanged in the deliver notification. */
  readonly attach: string;
} & ({ readonly kind: 'goods'; readonly productId: string; readonly priceFen: number } | { readonly kind: 'coins' });

/** The argument of `wx.requestVirtualPayment`. Pass `signData` byte by byte: both signatures cover this text. */
interface VirtualPayment {
  readonly mode: 'short_series_goods' | 'short_series_coin';
  readonly signData: string;
  readonly paySig: string;
  readonly signature: string;
}

export class XpayInputError extends Error {
  override readonly name = 'XpayInputError';
  readonly code = 'INVALID_INPUT';
  constructor(readonly path: string) {
    super(`virtual payment: ${path} is not acceptable`);
  }
}

/** `sessionKey`: from the payer's current WeChat login. It never leaves the server. */
export function virtualPayment(config: XpayConfig, order: XpayOrder, sessionKey: string): VirtualPayment {
  const { outTradeNo, quantity, attach } = order;
  demand(/^[0-9A-Za-z]+$/.test(config.offerId) && fits(config.offerId, BOUNDS.offerId), 'offerId');
  demand(config.env === 0 || config.env === 1, 'env');
  demand(config.appKey.length > 0, 'appKey');
  demand(sessionKey.length > 0, 'sessionKey');
  demand(/^[0-9A-Za-z\-|*@][0-9A-Za-z_\-|*@]*$/.test(outTradeNo) && fits(outTradeNo, BOUNDS.outTradeNo), 'outTradeNo');
  demand(Number.isSafeInteger(quantity) && quantity >= 1, 'quantity');
  demand(fits(attach, BOUNDS.attach), 'attach');
  const buying = { offerId: config.offerId, buyQuantity: quantity, env: config.env, currencyType: 'CNY' };
  if (order.kind === 'coins') {
    return signed(config, 'short_series_coin', { ...buying, outTradeNo, attach }, sessionKey);
  }
  const { productId, priceFen } = order;
  demand(/^[0-9A-Za-z_-]+$/.test(productId) && fits(productId, BOUNDS.productId), 'productId');
  demand(Number.isSafeInteger(priceFen) && priceFen >= 1, 'priceFen');
  const goods = { ...buying, productId, goodsPrice: priceFen, outTradeNo, attach };
  return signed(config, 'short_series_goods', goods, sessionKey);
}

function signed(config: XpayConfig, mode: VirtualPayment['mode'], data: object, sessionKey: string): VirtualPayment {
  const signData = JSON.stringify(data);
  const paySignature = paySig(config.appKey, 'requestVirtualPayment', signData);
  return { mode, signData, paySig: paySignature, signature: userSignature(sessionKey, signData) };
}

/** For a server call, `uri` is its path without the query, such as `/xpay/query_order`, and `body` the bytes sent. */
export function paySig(appKey: string, uri: string, body: string): string {
  return createHmac('sha256', appKey).update(`${uri}&${body}`).digest('hex');
}

/** Proves that the payer is logged in: the key is the session_key of the login. */
export function userSignature(sessionKey: string, body: string): string {
  return createHmac('sha256', sessionKey).update(body).digest('hex');
}

function demand(holds: boolean, path: string): asserts holds {
  if (!holds) throw new XpayInputError(path);
}
