import { fits, type TextBound } from '../text-bound.ts';
import { WECHATPAY_BOUNDS as BOUNDS } from './bounds.ts';
import { demand } from './error.ts';
import type { PlatformKey } from './signature.ts';

export interface WechatPayConfig {
  readonly appId: string;
  readonly mchId: string;
  readonly merchantSerial: string;
  readonly merchantPrivateKeyPem: string;
  /** 32 bytes. */
  readonly apiV3Key: string;
  readonly platformKeys: readonly PlatformKey[];
  /** https, without a query (plain http only on this machine). WeChat reports payments and refunds to this address. */
  readonly notifyUrl: string;
  /** An origin: https://api.mch.weixin.qq.com, its fallback api2, or a mock. */
  readonly baseUrl: string;
}

export interface PrepayOrder {
  /** Of `[0-9A-Za-z_-|*]`, unique for the merchant. Until it expires, the same order may be sent again. */
  readonly outTradeNo: string;
  readonly amountFen: number;
  readonly openid: string;
  /** The description that the payer sees. */
  readonly description: string;
  /** Unix seconds; after this time nobody can pay the order. */
  readonly expiresAtSeconds: number;
  /** Where the payment is reported; default: the address of the settings. Send the same one with the same order. */
  readonly notifyUrl?: string;
}

export interface RefundOrder {
  readonly outTradeNo: string;
  /** Of `[0-9A-Za-z_-|*@]`. WeChat refunds once for each number: keep the number when you repeat a call. */
  readonly outRefundNo: string;
  readonly refundFen: number;
  /** The paid amount of the whole order. */
  readonly totalFen: number;
  readonly reason?: string;
}

const outTradeNoForm = /^[0-9A-Za-z_\-|*]+$/;
const outRefundNoForm = /^[0-9A-Za-z_\-|*@]+$/;
const highestFen = 2_147_483_647;

/** Called at start-up, so that a wrong setting is found before the first payment. */
export function checkConfig(config: WechatPayConfig): void {
  const { appId, mchId, merchantSerial, apiV3Key, baseUrl, notifyUrl } = config;
  demand(matches(appId, /^[A-Za-z0-9_-]+$/, BOUNDS.appid), 'appId');
  demand(matches(mchId, /^[0-9]+$/, BOUNDS.mchid), 'mchId');
  demand(matches(merchantSerial, /^[0-9A-Fa-f]{1,64}$/), 'merchantSerial');
  demand(typeof apiV3Key === 'string' && Buffer.byteLength(apiV3Key) === 32, 'apiV3Key');
  demand(isSafeUrl(baseUrl) && new URL(baseUrl).origin === baseUrl, 'baseUrl');
  demand(isNotifyUrl(notifyUrl), 'notifyUrl');
}

export function checkPrepay(order: PrepayOrder, nowSeconds: number): void {
  demand(isOutTradeNo(order.outTradeNo), 'outTradeNo');
  demand(isFen(order.amountFen), 'amountFen');
  demand(matches(order.openid, /^[A-Za-z0-9_-]+$/, BOUNDS.openid), 'openid');
  demand(isLine(order.description, BOUNDS.description), 'description');
  demand(order.notifyUrl === undefined || isNotifyUrl(order.notifyUrl), 'notifyUrl');
  demand(isUnixSeconds(order.expiresAtSeconds) && order.expiresAtSeconds > nowSeconds, 'expiresAtSeconds');
}

export function checkRefund(order: RefundOrder): void {
  demand(isOutTradeNo(order.outTradeNo), 'outTradeNo');
  demand(isOutRefundNo(order.outRefundNo), 'outRefundNo');
  demand(isFen(order.totalFen), 'totalFen');
  demand(isFen(order.refundFen) && order.refundFen <= order.totalFen, 'refundFen');
  demand(order.reason === undefined || isLine(order.reason, BOUNDS.reason), 'reason');
}

export function isOutTradeNo(value: unknown): value is string {
  return matches(value, outTradeNoForm, BOUNDS.out_trade_no);
}

export function isOutRefundNo(value: unknown): value is string {
  return matches(value, outRefundNoForm, BOUNDS.out_refund_no);
}

/** WeChat's documents show only times with +08:00. */
export function beijingTime(unixSeconds: number): string {
  return `${new Date((unixSeconds + 8 * 3600) * 1000).toISOString().slice(0, 19)}+08:00`;
}

export function matches(value: unknown, form: RegExp, bound?: TextBound): value is string {
  return typeof value === 'string' && form.test(value) && (bound === undefined || fits(value, bound));
}

function isFen(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1 && (value as number) <= highestFen;
}

export function isUnixSeconds(value: unknown): boolean {
  return Number.isSafeInteger(value) && (value as number) >= 1e9 && (value as number) < 1e10;
}

/** One line of well-formed text. */
export function isLine(value: unknown, bound: TextBound): value is string {
  return typeof value === 'string' && fits(value, bound) && !/\p{Cc}|\p{Cs}/u.test(value);
}

function isNotifyUrl(value: unknown): boolean {
  return isSafeUrl(value) && fits(value, BOUNDS.notify_url) && !/[?#]/.test(value);
}

function isSafeUrl(value: unknown): value is string {
  if (typeof value !== 'string' || !URL.canParse(value)) return false;
  const { protocol, hostname, username, password } = new URL(value);
  if (username !== '' || password !== '') return false;
  return protocol === 'https:' || (protocol === 'http:' && ['127.0.0.1', 'localhost', '[::1]'].includes(hostname));
}
