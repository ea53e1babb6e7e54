import { member, text } from '../../foreign-input.ts';
import type { PushMessage } from '../../wechat/push/message.ts';
import type { RefundAdvice } from '../provider.ts';

/**
 * A payer asked Apple for a refund. Apple decides, and asks first, up to three times; the answer has to arrive within 3 s:
 * https://developers.weixin.qq.com/miniprogram/dev/platform-capabilities/business-capabilities/virtual-payment/ios.html and
 * https://developers.weixin.qq.com/community/develop/doc/000224bdbc4a98d8f3d46f0da66800 (read on 2026-11-28).
 */
const EVENT = 'xpay_subscribe_ios_refund_query_notify';

/** What the question is about: a number of ours, or of WeChat. null: the push is no such question. */
export const questionedPayment = (body: object): string | null =>
  member(body, 'Event') === EVENT ? (text(member(body, 'pay_order_id')) ?? '') : null;

/** 0: "let it pass", 1: "stop it". The evidence is for the person or program that decides at Apple. */
export function questionAnswer(message: PushMessage, { refundable, evidence }: RefundAdvice): object | string {
  const code = refundable ? 0 : 1;
  const info = refundable ? '建议退款' : '拒绝退款';
  const plain =
    message.format === 'json'
      ? JSON.stringify({ result_code: code, result_info: info, evidence })
      : `<xml><result_code>${code}</result_code><result_info><![CDATA[${info}]]></result_info><evidence><![CDATA[${evidence}]]></evidence></xml>`;
  return message.seal(plain);
}
