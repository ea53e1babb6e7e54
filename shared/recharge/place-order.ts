import type { CacheRead } from '../admission/request.ts';
import type { ReadAnswer } from '../cache/cache.ts';
import { query } from '../db.ts';
import { AppError, invalidInput } from '../errors.ts';
import { fetchWechatSession, type WechatPerson } from '../wechat/code-session.ts';
import { type MiniProgram, miniProgramOf, miniProgramsRead, namedProgramOf } from '../wechat/mini-program.ts';
import { catalogueRead, productsFrom } from './catalogue.ts';
import { merchantsRead } from './merchant.ts';
import { createOrder, findOrder, type OrderStatus } from './order.ts';
import type { Payer } from './provider.ts';
import { isBoundTo, providersFrom } from './providers.ts';
import { SANDBOX } from './sandbox/provider.ts';
import { syncOrder } from './sync.ts';

interface PlacedOrder {
  orderNo: string;
  status: OrderStatus;
  /** The argument of `wx.requestPayment`; empty if the order cannot be paid any more, and at the sandbox. */
  payment: Record<string, unknown>;
}

/** The reads of placing an order, in admission's own request: the merchants, the products and the mini-programs. */
export const placingReads = (provider: string): CacheRead[] =>
  provider === SANDBOX ? [] : [merchantsRead(), catalogueRead(), miniProgramsRead()];

/**
 * A code is valid once, so it is not part of the request that the idempotency key stands for. Throws BAD_CREDENTIALS,
 * UNAVAILABLE.
 */
async function payerOf(
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

/** An openid means something to WeChat Pay only with the mini-program that it belongs to. Throws INVALID_INPUT. */
function checkProgram(named: string | undefined, { providerAppId }: { providerAppId: string }): void {
  if (named !== undefined && named !== providerAppId)
    throw invalidProvider('belongs to another mini-program than this app');
}

/**
 * Creates the order first and calls the provider second, so that no notification comes before its order. A repeated
 * call gets the same order with a new payment. Throws INVALID_INPUT, IDEMPOTENCY_KEY_REUSED, UNAVAILABLE.
 */
export async function placeOrder(
  appId: string,
  user: Payer,
  idempotencyKey: string,
  { productId, provider: name, code }: { productId: string; provider: string; code?: string | undefined },
  { leaseId, reads }: { leaseId: string; reads: readonly ReadAnswer[] },
): Promise<PlacedOrder> {
  const provider = (await providersFrom(leaseId, reads[0])).find((candidate) => candidate.name === name);
  if (!provider) throw invalidProvider('no such provider');
  if (reads[2]) checkProgram(await namedProgramOf(leaseId, appId, reads[2]), provider);
  const { providerAppId, merchantId } = provider;
  const { userId } = user;
  const order = await createOrder({
    appId,
    userId,
    idempotencyKey,
    productId,
    provider: name,
    providerAppId,
    merchantId,
  });
  const { orderNo, status } = order;
  if (status !== 'pending') return { orderNo, status, payment: {} };
  // A payment to another merchant does not agree with the order and would always be refused.
  if (!isBoundTo(provider, order))
    throw invalidProvider('belongs to another merchant; place a new order with another key');
  const products = reads[1] ? await productsFrom(leaseId, reads[1]) : [];
  const title = products.find((candidate) => candidate.productId === productId)?.title ?? productId;
  const payable = { ...order, productId, title };
  const payment = await provider.prepare(
    payable,
    await payerOf(user, code, () => miniProgramOf(leaseId, appId, reads[2])),
  );
  if (payment) return { orderNo, status, payment };
  const known = await findOrder(orderNo);
  return { orderNo, status: known ? (await syncOrder(known)).status : status, payment: {} };
}

const invalidProvider = (message: string): AppError => invalidInput({ path: 'provider', message });
