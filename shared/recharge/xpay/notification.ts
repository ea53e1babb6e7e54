import { createDecipheriv, createHash } from 'node:crypto';
import { fen, member, readJson, text } from '../wechatpay/record.ts';
import { readBase64 } from '../wechatpay/signature.ts';
import { sameText } from './payment.ts';

/** The message push of a mini-program, format JSON. */
export interface PushConfig {
  readonly appId: string;
  readonly token: string;
  /** 43 characters. null: plain mode, in which the signature does not cover the body. */
  readonly encodingAesKey: string | null;
  /** The accepted environment: a sandbox payment must not become real money. */
  readonly env: 0 | 1;
}

/** The decoded query of the push. */
type PushQuery = Readonly<Record<string, string | undefined>>;

interface DeliverNotification {
  readonly event: 'xpay_goods_deliver_notify' | 'xpay_coin_pay_notify';
  readonly openid: string;
  readonly outTradeNo: string;
  /** null: not paid through WeChat Pay. */
  readonly transactionId: string | null;
  /** null for coins. */
  readonly productId: string | null;
  readonly quantity: number;
  readonly actualPriceFen: number;
  readonly attach: string;
  /** A trial push from the console: acknowledge it and change nothing. */
  readonly trial: boolean;
  /** false in plain mode: anybody who has seen one push can send another body, so query the order before a credit. */
  readonly bodyProven: boolean;
}

/** A refund that was made at the console, or by the payer at WeChat or Apple, without a request from here. */
interface RefundPush {
  readonly event: 'xpay_refund_notify';
  readonly outTradeNo: string;
  readonly wxRefundId: string;
  readonly refundFen: number;
  /** false: the refund failed, and the money was not returned. */
  readonly succeeded: boolean;
  readonly trial: boolean;
}

export type PushRefusal =
  | 'MALFORMED'
  | 'STALE'
  | 'BAD_SIGNATURE'
  | 'PLAIN_REFUSED'
  | 'UNDECRYPTABLE'
  | 'WRONG_APP'
  | 'WRONG_ENV';

export class XpayNotificationRefused extends Error {
  override readonly name = 'XpayNotificationRefused';
  constructor(readonly reason: PushRefusal) {
    super(`virtual payment notification refused: ${reason}`);
  }
}

/** The same bytes for the first delivery and all later ones. WeChat pushes again after any other answer. */
export const deliverAnswer = '{"ErrCode":0,"ErrMsg":"success"}';
const freshSeconds = 300;
const longestPush = 64 * 1024;

/** The answer to the console's GET that registers the push address. */
export function pushEcho(query: PushQuery, token: string, nowSeconds: number): string {
  demandSignature(query.signature, [token, ...stamp(query, nowSeconds)]);
  return query.echostr !== undefined && /^[!-~]{1,256}$/.test(query.echostr) ? query.echostr : refuse('MALFORMED');
}

/** null: an authentic push of another event. Throws only XpayNotificationRefused. */
export function openPush(
  query: PushQuery,
  rawBody: Buffer,
  config: PushConfig,
  nowSeconds: number,
): DeliverNotification | RefundPush | null {
  if (!Buffer.isBuffer(rawBody) || rawBody.length > longestPush) refuse('MALFORMED');
  const [timestamp, nonce] = stamp(query, nowSeconds);
  const outer = readJson(rawBody) ?? refuse('MALFORMED');
  if (config.encodingAesKey === null) {
    demandSignature(query.signature, [config.token, timestamp, nonce]);
    return readEvent(outer, config, false);
  }
  const encrypted = member(outer, 'Encrypt');
  // Otherwise an attacker could leave out the encryption and forge a body.
  if (typeof encrypted !== 'string') return refuse('PLAIN_REFUSED');
  demandSignature(query.msg_signature, [config.token, timestamp, nonce, encrypted]);
  const inner = readJson(decryptPush(encrypted, config.encodingAesKey, config.appId)) ?? refuse('MALFORMED');
  return readEvent(inner, config, true);
}

function readEvent(push: object, config: PushConfig, bodyProven: boolean): DeliverNotification | RefundPush | null {
  return member(push, 'Event') === 'xpay_refund_notify'
    ? readRefundPush(push, config)
    : readDeliver(push, config, bodyProven);
}

function readRefundPush(push: object, config: PushConfig): RefundPush {
  const env = member(push, 'Env');
  if (env !== undefined && env !== config.env && env !== String(config.env)) refuse('WRONG_ENV');
  const outTradeNo = text(member(push, 'MchOrderId'));
  const wxRefundId = text(member(push, 'WxRefundId'));
  const refundFen = fen(member(push, 'RefundFee'));
  const result = member(push, 'RetCode');
  if (outTradeNo === null || wxRefundId === null || !refundFen || result === undefined) return refuse('MALFORMED');
  const succeeded = result === 0 || result === '0';
  const trial = isSet(member(push, 'IsMock'));
  return { event: 'xpay_refund_notify', outTradeNo, wxRefundId, refundFen, succeeded, trial };
}

function readDeliver(push: object, config: PushConfig, bodyProven: boolean): DeliverNotification | null {
  const event = member(push, 'Event');
  if (event !== 'xpay_goods_deliver_notify' && event !== 'xpay_coin_pay_notify') return null;
  const env = member(push, 'Env');
  if (env !== config.env && env !== String(config.env)) refuse('WRONG_ENV');
  const goods = event === 'xpay_goods_deliver_notify';
  const bought = member(push, goods ? 'GoodsInfo' : 'CoinInfo');
  const openid = text(member(push, 'OpenId'));
  const outTradeNo = text(member(push, 'OutTradeNo'));
  const productId = goods ? text(member(bought, 'ProductId')) : null;
  const quantity = fen(member(bought, 'Quantity'));
  const actualPriceFen = fen(member(bought, 'ActualPrice'));
  const attach = member(bought, 'Attach') ?? '';
  if (openid === null || outTradeNo === null || !quantity || actualPriceFen === null) return refuse('MALFORMED');
  if ((goods && productId === null) || typeof attach !== 'string') return refuse('MALFORMED');
  const transactionId = text(member(member(push, 'WeChatPayInfo'), 'TransactionId'));
  const trial = isSet(member(push, 'IsMock')) || isSet(member(bought, 'IsMock'));
  return { event, openid, outTradeNo, transactionId, productId, quantity, actualPriceFen, attach, trial, bodyProven };
}

/** Accepts all spellings: a trial that is read as a payment would credit units that nobody paid. */
const isSet = (value: unknown): boolean => ![undefined, null, false, 0, '', '0', 'false'].includes(value as null);

/** AES-256-CBC, iv = the key's first half, padding to 32. Content: 16 random bytes, length, message, app id. */
function decryptPush(encrypted: string, encodingAesKey: string, appId: string): Buffer {
  const key = Buffer.from(`${encodingAesKey}=`, 'base64');
  const sealed = readBase64(encrypted);
  if (key.length !== 32 || sealed === null) return refuse('UNDECRYPTABLE');
  let plain: Buffer;
  try {
    const decipher = createDecipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
    plain = Buffer.concat([decipher.update(sealed), decipher.final()]);
  } catch {
    return refuse('UNDECRYPTABLE');
  }
  const padding = plain.at(-1) ?? 0;
  if (padding < 1 || padding > 32 || plain.length < 20 + padding) return refuse('UNDECRYPTABLE');
  const content = plain.subarray(0, plain.length - padding);
  const end = 20 + content.readUInt32BE(16);
  if (end > content.length) return refuse('UNDECRYPTABLE');
  if (content.subarray(end).toString('utf8') !== appId) return refuse('WRONG_APP');
  return content.subarray(20, end);
}

function stamp(query: PushQuery, nowSeconds: number): [timestamp: string, nonce: string] {
  const { timestamp, nonce } = query;
  if (timestamp === undefined || !/^[1-9][0-9]{9}$/.test(timestamp)) return refuse('MALFORMED');
  if (nonce === undefined || !/^[!-~]{1,128}$/.test(nonce)) return refuse('MALFORMED');
  if (!(Math.abs(nowSeconds - Number(timestamp)) <= freshSeconds)) return refuse('STALE');
  return [timestamp, nonce];
}

function demandSignature(presented: string | undefined, parts: readonly string[]): void {
  const expected = createHash('sha1')
    .update([...parts].sort().join(''))
    .digest('hex');
  if (presented === undefined || !sameText(presented, expected)) refuse('BAD_SIGNATURE');
}

function refuse(reason: PushRefusal): never {
  throw new XpayNotificationRefused(reason);
}
