import { withdrawConsent } from '../../shared/account/withdraw.ts';
import { member, text } from '../../shared/foreign-input.ts';
import { receivePaymentPush } from '../../shared/recharge/notification.ts';
import { xpayAnswer } from '../../shared/recharge/xpay/notification.ts';
import { count } from '../../shared/telemetry.ts';
import { handleOnce } from '../../shared/wechat/push/handle-once.ts';
import type { PushFormat, PushMessage } from '../../shared/wechat/push/message.ts';

/** What an event causes. `handle` must be safe to repeat, and safe for an event that comes late. */
interface EventKind {
  handle(wechatAppid: string, message: PushMessage): Promise<unknown>;
  /** The answer that WeChat expects. A text is sent as it is, an object as JSON. */
  answer(format: PushFormat): object | string;
}

const success = (): string => 'success';
const payment: EventKind = { handle: receivePaymentPush, answer: xpayAnswer };
/** An event without an effect: it is only counted. */
const noted: EventKind = { handle: async () => {}, answer: success };

/** The events that are known here. To act on another event, add it with its kind. */
const EVENTS = new Map<string, EventKind>([
  ['xpay_goods_deliver_notify', payment],
  ['xpay_coin_pay_notify', payment],
  ['xpay_refund_notify', payment],
  ['user_authorization_revoke', { handle: withdrawNamed, answer: success }],
  ['user_authorization_cancellation', { handle: withdrawAll, answer: success }],
  ['user_info_modified', noted],
  ['wxa_media_check', noted],
  ['trade_manage_remind_access_api', noted],
  ['trade_manage_remind_shipping', noted],
  ['trade_manage_order_settlement', noted],
  ['subscribe_msg_popup_event', noted],
  ['subscribe_msg_change_event', noted],
  ['subscribe_msg_sent_event', noted],
]);

/** Apple's question about a refund, which WeChat passes on. It changes nothing, and each repetition gets an answer of its own. */
const QUESTION = 'xpay_subscribe_ios_refund_query_notify';

/** Returns the answer for WeChat. Throws what the event's handler throws. */
export async function handlePush(wechatAppid: string, message: PushMessage): Promise<object | string> {
  if (message.event === QUESTION) {
    count(`wechat.push.event.${QUESTION}`);
    return (await receivePaymentPush(wechatAppid, message)) ?? success();
  }
  const known = EVENTS.get(message.event);
  const { handle, answer } = known ?? noted;
  await handleOnce(wechatAppid, message, async () => {
    await handle(wechatAppid, message);
    count(`wechat.push.event.${known ? message.event : 'other'}`);
  });
  return answer(message.format);
}

/**
 * What a user may withdraw, by `RevokeInfo`:
 * https://developers.weixin.qq.com/miniprogram/dev/server/event_push/platform/authorized_user_information_changes (read
 * in 2026-11). The other codes are places, invoices, steps, files and the like, which are not stored here.
 */
const NAME_AND_PICTURE = ['6', '19', '20'];
const PHONE_NUMBER = '8';

function withdrawNamed(wechatAppid: string, message: PushMessage): Promise<void> {
  const codes = (plain(member(message.body, 'RevokeInfo')) ?? '').split(/\D+/);
  const profile = codes.some((code) => NAME_AND_PICTURE.includes(code));
  return withdraw(wechatAppid, message, { profile, phone: codes.includes(PHONE_NUMBER) });
}

/** The person has deleted the account at WeChat. */
function withdrawAll(wechatAppid: string, message: PushMessage): Promise<void> {
  return withdraw(wechatAppid, message, { profile: true, phone: true });
}

async function withdraw(
  wechatAppid: string,
  { body }: PushMessage,
  what: { profile: boolean; phone: boolean },
): Promise<void> {
  const openid = text(member(body, 'OpenID'));
  if (openid !== null) await withdrawConsent(wechatAppid, openid, what, createdAt(body));
}

/** WeChat sends numbers as numbers or as texts. */
const plain = (value: unknown): string | undefined =>
  typeof value === 'string' || typeof value === 'number' ? String(value) : undefined;

/** Unix seconds. A time that is missing or not yet reached is now. */
function createdAt(body: object): number {
  const now = Date.now() / 1000;
  const at = Number(plain(member(body, 'CreateTime')));
  return at > 0 && at < now ? at : now;
}
