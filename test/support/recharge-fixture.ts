import { randomBytes } from 'node:crypto';
import type { Payment } from '../../shared/recharge/payment.ts';
import { sandboxSignature } from '../../shared/recharge/sandbox/provider.ts';
import { newUserId } from '../../shared/session/token.ts';
import { openBearerSession } from './bearer-session.ts';
import { startTestStack, type TestAnswer, type TestApp, type TestStack } from './stack.ts';

/** A logged-in user, with a function for each recharge route. */
export interface Shopper {
  userId: string;
  session: string;
  get(path: string, query?: string): Promise<TestAnswer>;
  create(key?: string, body?: unknown): Promise<TestAnswer>;
  spend(amount: unknown, key?: string, reason?: string): Promise<TestAnswer>;
  sync(orderNo: string): Promise<TestAnswer>;
  balance(): Promise<number>;
}

export interface Shop {
  stack: TestStack;
  app: TestApp;
  shopper(openid?: string): Promise<Shopper>;
  notify(
    notification: Record<string, unknown>,
    options?: { timestamp?: number; signature?: string },
  ): Promise<TestAnswer>;
}

export const newKey = (): string => randomBytes(12).toString('hex');

/** A deployment with two products and the sandbox. Users are created without the login routes. */
export async function openShop(options: Parameters<typeof startTestStack>[0] = {}): Promise<Shop> {
  const stack = await startTestStack(options);
  await stack.mysql.query(
    `INSERT INTO products (product_id, title, amount_fen, units) VALUES ('coins-60', '60 coins', 600, 60),
      ('coins-7', '7 coins', 100, 7)`,
  );
  const app = await stack.createApp();
  return { stack, app, shopper: (openid) => newShopper(stack, app, openid), notify: notifier(stack) };
}

export async function newShopper(stack: TestStack, app: TestApp, openid?: string): Promise<Shopper> {
  const userId = newUserId();
  await stack.mysql.execute('INSERT INTO users (user_id, wechat_openid, profile) VALUES (?, ?, ?)', [
    userId,
    openid ?? null,
    '{}',
  ]);
  const { token: session } = await openBearerSession(app.appId, userId);
  const call = (method: string, path: string, body?: unknown, key?: string) =>
    stack.call(app, method, path, {
      session,
      ...(body !== undefined && { body }),
      ...(key !== undefined && { headers: { 'idempotency-key': key } }),
    });
  const get = (path: string, query = '') => stack.call(app, 'GET', path, { session, query });
  return {
    userId,
    session,
    get,
    create: (key = newKey(), body = { productId: 'coins-60', provider: 'sandbox' }) =>
      call('POST', '/recharge', body, key),
    spend: (amount, key = newKey(), reason) => call('POST', '/balance/spend', { amount, reason }, key),
    sync: (orderNo) => call('POST', `/recharge/${orderNo}/sync`),
    balance: async () => (await get('/balance')).body.balance,
  };
}

const notifier =
  (stack: TestStack): Shop['notify'] =>
  (notification, { timestamp = Math.floor(Date.now() / 1000), signature } = {}) => {
    const body = JSON.stringify({
      amountFen: 600,
      currency: 'CNY',
      transactionId: `tx-${String(notification.orderNo)}`,
      status: 'SUCCESS',
      ...notification,
    });
    const signed = signature ?? sandboxSignature(stack.env.SANDBOX_KEY ?? '', String(timestamp), body);
    const headers = { 'sandbox-timestamp': String(timestamp), 'sandbox-signature': signed };
    return stack.send('POST', '/recharge/notify/sandbox', headers, body);
  };

/** The payment that the sandbox would report for an order of `coins-60`. */
export const sandboxPayment = (orderNo: string): Payment => ({
  provider: 'sandbox',
  providerAppId: '',
  merchantId: '',
  orderNo,
  transactionId: `tx-${orderNo}`,
  amountFen: 600,
  currency: 'CNY',
  paidAt: null,
});
