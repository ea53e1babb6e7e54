import { query, type Transaction, writeRepeatably } from '../db.ts';
import { AppError } from '../errors.ts';
import { fetchWechatSession, type WechatPerson } from '../wechat/code-session.ts';
import type { MiniProgram } from '../wechat/mini-program.ts';
import type { Order } from './order.ts';
import type { Payer } from './provider.ts';

/**
 * The payer with the session_key of this login. A code is valid once, so it is not part of the request that the
 * idempotency key stands for. Throws BAD_CREDENTIALS, UNAVAILABLE and what fetchWechatSession() throws.
 */
export async function payerOf(
  { userId, wechatOpenid }: Payer,
  code: string | undefined,
  program: () => Promise<MiniProgram>,
): Promise<Payer> {
  if (code === undefined) return { userId, wechatOpenid };
  const { person, sessionKey } = await fetchWechatSession(await program(), code);
  const { openid } = person;
  const isOwn = wechatOpenid === null || openid === wechatOpenid || (await isOpenidOf(userId, person));
  if (!isOwn) throw new AppError('BAD_CREDENTIALS');
  return { userId, wechatOpenid: openid, wechatSessionKey: sessionKey };
}

/** A user may have linked several WeChat persons. */
async function isOpenidOf(userId: string, { wechatAppid, openid }: WechatPerson): Promise<boolean> {
  const rows = await query(
    `SELECT 1 AS own FROM identities WHERE platform = 'wechat' AND platform_app = ? AND subject = ? AND user_id = ?`,
    [wechatAppid, openid, userId],
  );
  return rows.length > 0;
}

/** The person whose login pays: the provider answers questions about the order only with this openid. */
export const rememberPayer = (orderNo: string, openid: string | null) =>
  writeRepeatably("UPDATE recharge_orders SET payer_openid = ? WHERE order_no = ? AND status = 'pending'", [
    openid,
    orderNo,
  ]);

/**
 * The openid of the payer of an order, for a question to WeChat about it. An order of a former release has none: then it
 * is that of its user at the mini-program, if there is one and no other. null: nobody knows it.
 */
export async function payerOpenidOf({
  payerOpenid,
  userId,
  providerAppId,
}: Pick<Order, 'payerOpenid' | 'userId' | 'providerAppId'>): Promise<string | null> {
  if (payerOpenid !== null) return payerOpenid;
  const [found, another] = await query(
    `SELECT i.subject FROM users u JOIN identities i ON i.user_id = COALESCE(u.merged_into, u.user_id)
      WHERE u.user_id = ? AND i.platform = 'wechat' AND i.platform_app = ? LIMIT 2`,
    [userId, providerAppId],
  );
  return found && !another ? String(found.subject) : null;
}

/**
 * When a user is erased: the openid goes from all orders of the user, and of users who were merged into this one. Each
 * app is looked up by the index that begins with it. `write`: of the transaction that erases.
 */
export const forgetPayer = (userId: string, write: Transaction['write']) =>
  write(
    `UPDATE users u JOIN apps a JOIN recharge_orders o ON o.app_id = a.app_id AND o.user_id = u.user_id
        SET o.payer_openid = NULL
      WHERE (u.user_id = ? OR u.merged_into = ?) AND o.payer_openid IS NOT NULL`,
    [userId, userId],
  );
