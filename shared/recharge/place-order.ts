import type { CacheRead } from '../admission/request.ts';
import type { ReadAnswer } from '../cache/cache.ts';
import { AppError, invalidInput } from '../errors.ts';
import { miniProgramOf, miniProgramsRead, namedProgramOf } from '../wechat/mini-program.ts';
import { catalogueRead, productsFrom } from './catalogue.ts';
import { closeOrder } from './check-order.ts';
import { type CreatedOrder, createOrder, findRepeated, type OrderRequest } from './create-order.ts';
import { merchantsRead } from './merchant.ts';
import { findOrder, type OrderStatus } from './order.ts';
import { payerOf, rememberPayer } from './payer.ts';
import { type OrderTerms, type Payer, type Provider, providerUnavailable } from './provider.ts';
import { type Providers, providersFrom } from './providers.ts';
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

interface Call {
  user: Payer;
  request: OrderRequest;
  code: string | undefined;
  leaseId: string;
  reads: readonly ReadAnswer[];
}

/**
 * Creates the order first and calls the provider second, so that no notification comes before its order. A repeated
 * call gets the same order with a new payment, from the merchant of the order. Throws INVALID_INPUT,
 * IDEMPOTENCY_KEY_REUSED, QUOTA_REACHED, BAD_CREDENTIALS, UNAVAILABLE.
 */
export async function placeOrder(
  appId: string,
  user: Payer,
  idempotencyKey: string,
  { productId, provider, code }: { productId: string; provider: string; code?: string | undefined },
  { leaseId, reads }: { leaseId: string; reads: readonly ReadAnswer[] },
  now = Date.now(),
): Promise<PlacedOrder> {
  const request = { appId, userId: user.userId, idempotencyKey, productId, provider };
  const call: Call = { user, request, code, leaseId, reads };
  const providers = await providersFrom(leaseId, reads[0]);
  const order = await findOrCreate(call, providers, now);
  const { orderNo, status } = order;
  if (status !== 'pending') return { orderNo, status, payment: {} };
  if (Date.parse(order.expiresAt) <= now) return endOrder(orderNo);
  const payment = await preparePayment(call, providers, order);
  return payment ? { orderNo, status, payment } : endOrder(orderNo);
}

/** What would refuse a new order does not refuse an order that this call made before. */
async function findOrCreate(call: Call, providers: Providers, now: number): Promise<CreatedOrder> {
  const { request, user } = call;
  let provider: Provider;
  let terms: OrderTerms;
  try {
    provider = await newOrderProvider(call, providers);
    terms = provider.terms(user);
  } catch (refusal) {
    const known = refusal instanceof AppError ? await findRepeated(request) : null;
    if (!known) throw refusal;
    return { ...known, isNew: false };
  }
  const { providerAppId, merchantId } = provider;
  return createOrder({ ...request, providerAppId, merchantId, terms, title: await titleOf(call) }, now);
}

async function newOrderProvider({ request, leaseId, reads }: Call, providers: Providers): Promise<Provider> {
  const provider = providers.offeredTo(request.appId).find(({ name }) => name === request.provider);
  if (!provider) throw invalidProvider('no such provider');
  if (reads[2]) checkProgram(await namedProgramOf(leaseId, request.appId, reads[2]), provider);
  return provider;
}

/** The merchant of the order makes the payment. With another one it would not agree with the order. */
async function preparePayment(call: Call, providers: Providers, order: CreatedOrder) {
  const { request, user, code, leaseId, reads } = call;
  const { appId, productId } = request;
  const provider = providers.holderOf(order);
  if (!provider) throw invalidProvider('the merchant of this order was removed; place a new order with another key');
  try {
    if (reads[2]) checkProgram(await namedProgramOf(leaseId, appId, reads[2]), provider);
    const payer = await payerOf(user, code, () => miniProgramOf(leaseId, appId, reads[2]));
    if (payer.wechatSessionKey !== undefined && payer.wechatOpenid !== order.payerOpenid)
      await rememberPayer(order.orderNo, payer.wechatOpenid);
    const title = order.title ?? (await titleOf(call));
    return await provider.prepare({ ...order, productId, title: title || productId }, payer);
  } catch (error) {
    // Closed and not deleted: the same call may run twice at the same time, and the other one may be paid.
    if (order.isNew && isFaultOfCaller(error)) await closeOrder(order.orderNo);
    throw error;
  }
}

const isFaultOfCaller = (error: unknown): boolean =>
  error instanceof AppError && error.code !== 'UNAVAILABLE' && error.code !== 'WECHAT_BUSY';

/** An order that cannot be paid any more gets its last state now, and not from the sweeper later. */
async function endOrder(orderNo: string): Promise<PlacedOrder> {
  const known = await findOrder(orderNo);
  const ended = known && (await syncOrder(known, { isOver: true }));
  if (!ended || ended.status === 'pending') throw providerUnavailable();
  return { orderNo, status: ended.status, payment: {} };
}

/** null: the call reads no products, because the sandbox is told no title. '': the cache does not have the product. */
async function titleOf({ request, leaseId, reads }: Call): Promise<string | null> {
  if (!reads[1]) return null;
  const products = await productsFrom(leaseId, reads[1]);
  return products.find(({ productId }) => productId === request.productId)?.title ?? '';
}

/** An openid means something to WeChat Pay only with the mini-program that it belongs to. Throws INVALID_INPUT. */
function checkProgram(named: string | undefined, { providerAppId }: Provider): void {
  if (named !== undefined && named !== providerAppId)
    throw invalidProvider('belongs to another mini-program than this app');
}

const invalidProvider = (message: string): AppError => invalidInput({ path: 'provider', message });
