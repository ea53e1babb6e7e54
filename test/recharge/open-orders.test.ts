import { beforeAll, describe, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import type { XpayMerchant } from '../../shared/recharge/xpay/provider.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { newSender } from '../support/push-sender.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

let shop: Shop;
let mock: MockWechatPay;
const wechatpay = { productId: 'coins-60', provider: 'wechatpay' };
const sandbox = { productId: 'coins-60', provider: 'sandbox' };
const actor = 'tester';

beforeAll(async () => {
  shop = await openShop({ env: { MAX_OPEN_ORDERS: '5' } });
  mock = await startMockWechatPay({ notifyUrl: `${shop.stack.url}/recharge/notify/wechatpay`, speed: 100 });
  atEndOfFile(() => mock.stop());
  const sender = newSender();
  const xpay: XpayMerchant = {
    ...{ appId: sender.wechatAppid, offerId: '1450001', env: 0, appKey: 'app-key-of-xpay' },
    ...{ pushToken: sender.token, encodingAesKey: sender.encodingAesKey },
  };
  await setMerchant('wechatpay', mock.config, { actor });
  await setMerchant('xpay', xpay, { actor });
});

async function rowsOf({ userId }: Shopper): Promise<string[]> {
  const [rows] = await shop.stack.mysql.query('SELECT status FROM recharge_orders WHERE user_id = ?', [userId]);
  return (rows as Array<{ status: string }>).map(({ status }) => status);
}
const expire = (orderNo: string) =>
  shop.stack.mysql.query('UPDATE recharge_orders SET expires_at = NOW(3) - INTERVAL 1 SECOND WHERE order_no = ?', [
    orderNo,
  ]);

describe('an order past its time, placed again with the same key', () => {
  test.each([['wechatpay'], ['sandbox']])('is closed in the same call (%s)', async (provider) => {
    const shopper = await shop.shopper(`openid-${newKey()}`);
    const key = newKey();
    const { orderNo } = (await shopper.create(key, { ...wechatpay, provider })).body;
    await expire(orderNo);
    for (let i = 0; i < 2; i++) {
      const again = await shopper.create(key, { ...wechatpay, provider });
      expect(again).toMatchObject({ status: 201, body: { orderNo, status: 'closed', payment: {} } });
    }
    if (provider === 'wechatpay') expect(mock.orders().at(-1)).toMatchObject({ outTradeNo: orderNo, state: 'CLOSED' });
  });

  test('is credited in the same call if it was paid and nobody knew', async () => {
    const shopper = await shop.shopper(`openid-${newKey()}`);
    const [byWechat, bySandbox] = [newKey(), newKey()];
    const paid = (await shopper.create(byWechat, wechatpay)).body.orderNo;
    mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
    await mock.pay(paid);
    mock.clearFaults();
    const other = (await shopper.create(bySandbox, sandbox)).body.orderNo;
    await payAtSandbox(other, { notification: false });
    await Promise.all([expire(paid), expire(other)]);
    expect((await shopper.create(byWechat, wechatpay)).body).toMatchObject({ status: 'paid', payment: {} });
    expect((await shopper.create(bySandbox, sandbox)).body).toMatchObject({ status: 'paid', payment: {} });
    expect(await shopper.balance()).toBe(120);
  });

  test('is never pending with an empty payment, also if WeChat Pay ended the order before its time', async () => {
    const shopper = await shop.shopper(`openid-${newKey()}`);
    const key = newKey();
    const { orderNo } = (await shopper.create(key, wechatpay)).body;
    mock.setFault({ on: 'query', kind: 'system-error' });
    await expire(orderNo);
    expect(await shopper.create(key, wechatpay)).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    expect((await shopper.create(key, wechatpay)).body).toMatchObject({ status: 'closed', payment: {} });
  });

  test('is closed by sync, too, at the provider first', async () => {
    const shopper = await shop.shopper(`openid-${newKey()}`);
    const { orderNo } = (await shopper.create(newKey(), wechatpay)).body;
    expect((await shopper.sync(orderNo)).body.status).toBe('pending');
    await expire(orderNo);
    expect((await shopper.sync(orderNo)).body.status).toBe('closed');
    expect(mock.orders().at(-1)).toMatchObject({ outTradeNo: orderNo, state: 'CLOSED' });
    await mock.pay(orderNo, { evenIfClosed: true });
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('paid');
  });
});

describe('a call that is refused because of its caller', () => {
  test('writes no order for a user without an openid', async () => {
    const shopper = await shop.shopper();
    for (let i = 0; i < 3; i++) {
      expect(await shopper.create(newKey(), wechatpay)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    }
    expect(await rowsOf(shopper)).toEqual([]);
  });

  test('leaves no pending order after a code that WeChat does not know or that is of somebody else', async () => {
    const shopper = await shop.shopper('openid-of-an-owner');
    for (const code of ['no-such-code', 'dev-stranger-1']) {
      const refused = await shopper.create(newKey(), { ...wechatpay, provider: 'xpay', code });
      expect(refused).toMatchObject({ status: 401, body: { code: 'BAD_CREDENTIALS' } });
    }
    expect(await rowsOf(shopper)).toEqual(['closed', 'closed']);
  });

  test('keeps an order that was made before, and one that WeChat was too busy for', async () => {
    const shopper = await shop.shopper();
    const [key, busy] = [newKey(), newKey()];
    const create = (which: string, code: string) => shopper.create(which, { ...wechatpay, provider: 'xpay', code });
    expect((await create(key, 'dev-owner-1')).status).toBe(201);
    expect((await create(key, 'dev-owner-1')).status).toBe(401);
    shop.stack.wechat.failNext(-1);
    expect((await create(busy, 'dev-owner-2')).status).toBe(503);
    expect(await rowsOf(shopper)).toEqual(['pending', 'pending']);
    for (const [which, code] of [
      [key, 'dev-owner-3'],
      [busy, 'dev-owner-4'],
    ] as const) {
      expect(await create(which, code)).toMatchObject({ status: 201, body: { status: 'pending' } });
    }
  });
});

describe('a user with as many open orders as allowed', () => {
  test('gets no further one, and keeps the others: the same key still works', async () => {
    const shopper = await shop.shopper();
    const keys = Array.from({ length: 5 }, newKey);
    const placed = [];
    for (const key of keys) placed.push((await shopper.create(key)).body.orderNo);
    const refused = await shopper.create();
    expect(refused).toMatchObject({
      status: 409,
      body: { code: 'QUOTA_REACHED', detail: expect.stringContaining('5') },
    });
    expect(await rowsOf(shopper)).toHaveLength(5);
    for (const [i, key] of keys.entries()) {
      expect((await shopper.create(key)).body).toMatchObject({ orderNo: placed[i], status: 'pending' });
    }
    expect(await shopper.create(newKey(), { ...sandbox, productId: 'none' })).toMatchObject({ status: 400 });
    await payAtSandbox(placed[0], { notification: true });
    expect((await shopper.create()).status).toBe(201);
    expect((await shop.shopper().then((other) => other.create())).status).toBe(201);
  });

  test('gets no further one by placing 20 at the same time', async () => {
    const shopper = await shop.shopper();
    const answers = await Promise.all(Array.from({ length: 20 }, () => shopper.create()));
    const statuses = answers.map(({ status }) => status);
    expect(statuses.filter((status) => status === 201)).toHaveLength(5);
    expect(new Set(statuses)).toEqual(new Set([201, 409]));
    expect(await rowsOf(shopper)).toHaveLength(5);
  });
});
