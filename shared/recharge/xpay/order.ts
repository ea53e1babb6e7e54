import { member, text } from '../../foreign-input.ts';
import { errcodeOf } from '../../wechat/api.ts';
import { callXpay, isUnknown, unusable, type XpayCaller } from './call.ts';

/** An order or a refund, as `query_order` answers it. A refund is asked for under its own number. */
export interface XpayOrder {
  status: number;
  /** The payment was made through Apple: only Apple refunds it. */
  isApple: boolean;
  paidFen: number;
  /** Of the payment, after all refunds. */
  leftFen: number;
  /** WeChat Pay's number. null: not paid through WeChat Pay. */
  transactionId: string | null;
  /** WeChat's own number. null: not told. */
  wxOrderId: string | null;
  /** Unix seconds. null: not yet. */
  paidSeconds: number | null;
  updatedSeconds: number;
}

/**
 * https://developers.weixin.qq.com/miniprogram/dev/server/API/VirtualPayment/api_query_order (read on 2026-11-28). A
 * refunded order was seen to be delivered again after an hour, when its refund had failed.
 */
export const STATUS = {
  INIT: 0,
  CREATED: 1,
  PAID: 2,
  DELIVERING: 3,
  DELIVERED: 4,
  REFUNDED: 5,
  CLOSED: 6,
  REFUND_FAILED: 7,
  REFUND_DONE: 8,
} as const;

const PATH = '/xpay/query_order';
const APPLE_TYPES: readonly unknown[] = [7, 8];

/** null: WeChat certainly knows no such number of this payer. Throws UNAVAILABLE. */
export async function queryXpayOrder(caller: XpayCaller, number: string, openid: string): Promise<XpayOrder | null> {
  const answer = await callXpay(caller, PATH, { openid, order_id: number });
  if (isUnknown(answer)) return null;
  if (errcodeOf(answer) !== 0) throw unusable(PATH, answer);
  const { order } = answer;
  if (order === null || order === undefined) return null;
  const read = readOrder(order, caller);
  if (!read || member(order, 'order_id') !== number) throw unusable(PATH, { errcode: 'unreadable' });
  return read;
}

/** null: it is not readable, or of another environment, whose payments must not become real money. */
function readOrder(order: unknown, { env }: XpayCaller): XpayOrder | null {
  const [status, paidFen, leftFen] = [whole(order, 'status'), whole(order, 'paid_fee'), whole(order, 'left_fee')];
  const environment = member(order, 'env_type');
  // Here 1 is real money and 2 the sandbox.
  if (status === null || (environment !== undefined && environment !== env + 1)) return null;
  return {
    status,
    isApple: APPLE_TYPES.includes(member(order, 'order_type')),
    paidFen: paidFen ?? 0,
    leftFen: leftFen ?? 0,
    transactionId: text(member(order, 'wxpay_order_id')),
    wxOrderId: text(member(order, 'wx_order_id')),
    paidSeconds: whole(order, 'paid_time') || null,
    updatedSeconds: whole(order, 'update_time') ?? 0,
  };
}

function whole(order: unknown, name: string): number | null {
  const value = member(order, name);
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null;
}
