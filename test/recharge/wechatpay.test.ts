import { beforeAll, describe, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { reconcileDay } from '../../shared/recharge/books/reconcile.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { listMerchants } from '../../shared/recharge/merchant-list.ts';
import { findProvider } from '../../shared/recharge/providers.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

let shop: Shop;
let shopper: Shopper;
let mock: MockWechatPay;
const wechatpay = { productId: 'coins-60', provider: 'wechatpay' };

beforeAll(async () => {
  shop = await openShop();
  mock = await startMockWechatPay({ notifyUrl: `${shop.stack.url}/recharge/notify/wechatpay`, speed: 100 });
  atEndOfFile(() => mock.stop());
  await setMerchant('wechatpay', mock.config, { actor: 'tester' });
  shopper = await shop.shopper('openid-of-a-payer');
});

const status = async (orderNo: string): Promise<string> => (await shopper.get(`/recharge/${orderNo}`)).body.status;
const place = async (): Promise<string> => (await shopper.create(newKey(), wechatpay)).body.orderNo;
/** Makes all rows due by the clock of the database, which the sweeper uses. */
const makeDue = (table: string) =>
  shop.stack.mysql.query(
    `UPDATE ${table} SET next_check_at = NOW(3) - INTERVAL 1 SECOND WHERE next_check_at IS NOT NULL`,
  );
const sweep = () => sweepRecharge({ stopAt: Date.now() + 30_000 });

describe('WeChat Pay, end to end', () => {
  test('a merchant is stored with encrypted secrets', async () => {
    const { appId, mchId, apiV3Key } = mock.config;
    expect(await listMerchants()).toEqual([
      {
        ...{ provider: 'wechatpay', appId, merchantId: mchId, isDefault: true, usable: true },
        ...{ openOrders: 0, runningRefunds: 0, apps: [] },
      },
    ]);
    const [rows] = await shop.stack.mysql.query('SELECT sealed_config FROM merchants');
    expect(JSON.stringify(rows)).not.toContain(apiV3Key);
    expect((await shopper.get('/recharge/params')).body.providers).toEqual(['sandbox', 'wechatpay']);
  });

  test('invalid settings are refused with the name of the member', async () => {
    for (const member of ['baseUrl', 'notifyUrl']) {
      const special = setMerchant(
        'wechatpay',
        { ...mock.config, [member]: 'https://169.254.169.254' },
        { actor: 'tester' },
      );
      await expect(special).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    }
    const refusal = setMerchant('wechatpay', { ...mock.config, apiV3Key: 'short' }, { actor: 'tester' });
    await expect(refusal).rejects.toMatchObject({ code: 'INVALID_INPUT', refusal: { errors: [{ path: 'apiV3Key' }] } });
  });

  test('an order is paid with the payment sheet, and its notification credits it', async () => {
    const created = await shopper.create(newKey(), wechatpay);
    expect(created).toMatchObject({ status: 201, body: { status: 'pending', payment: { signType: 'RSA' } } });
    const { orderNo } = created.body;
    await mock.pay(orderNo);
    expect(await status(orderNo)).toBe('paid');
    expect(await shopper.balance()).toBe(60);
    expect(mock.notifications().every(({ flawsAccepted }) => flawsAccepted === 0)).toBe(true);
  });

  test('an order costs 1 request each to Redis, MySQL and WeChat, a notification 1 to Redis, 2 to MySQL', async () => {
    await place();
    await shop.stack.resetCounters();
    const before = mock.requests().length;
    const orderNo = await place();
    expect(await shop.stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 1 });
    expect(mock.requests().length - before).toBe(1);
    await mock.pay(await place());
    await shop.stack.resetCounters();
    await mock.pay(orderNo);
    expect(await shop.stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 2 });
  });

  test('a user without a WeChat login cannot pay by WeChat', async () => {
    const other = await shop.shopper();
    expect(await other.create(newKey(), wechatpay)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
  });

  test('forged notifications and probes are refused, and the valid one that follows credits the order', async () => {
    for (const kind of ['wrong-signature', 'tampered', 'stale', 'unknown-serial', 'probe'] as const) {
      const orderNo = await place();
      mock.setFault({ on: 'notification', kind });
      await mock.pay(orderNo);
      await expect.poll(() => status(orderNo), { timeout: 10_000 }).toBe('paid');
    }
    expect(mock.notifications().every(({ flawsAccepted }) => flawsAccepted === 0)).toBe(true);
  });

  test('a payment whose notification was lost is credited by sync or by the sweeper', async () => {
    for (const find of [
      (orderNo: string) => shopper.sync(orderNo),
      async () => makeDue('recharge_orders').then(sweep),
    ]) {
      const orderNo = await place();
      mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
      await mock.pay(orderNo);
      expect(await status(orderNo)).toBe('pending');
      await find(orderNo);
      expect(await status(orderNo)).toBe('paid');
      mock.clearFaults();
    }
  });

  test('an order gets 503 when WeChat Pay fails, and then the payment with the same key', async () => {
    const key = newKey();
    mock.setFault({ on: 'prepay', kind: 'system-error' });
    const failed = await shopper.create(key, wechatpay);
    expect(failed).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE', retryable: true } });
    const again = await shopper.create(key, wechatpay);
    expect(again).toMatchObject({ status: 201, body: { payment: { signType: 'RSA' } } });
    expect((await shopper.create(key, wechatpay)).body.orderNo).toBe(again.body.orderNo);
  });

  test('an expired order is closed, and a payment after the close is credited', async () => {
    const orderNo = await place();
    const past = 'UPDATE recharge_orders SET expires_at = NOW(3) - INTERVAL 1 MINUTE WHERE order_no = ?';
    await shop.stack.mysql.query(past, [orderNo]);
    await makeDue('recharge_orders');
    const [one, two] = await Promise.all([sweep(), sweep()]);
    expect(one.closed + two.closed).toBeGreaterThanOrEqual(1);
    expect(await status(orderNo)).toBe('closed');
    const before = await shopper.balance();
    await mock.pay(orderNo, { evenIfClosed: true });
    expect(await status(orderNo)).toBe('paid');
    expect(await shopper.balance()).toBe(before + 60);
  });
});

describe('refunds by WeChat Pay', () => {
  const payOrder = async (): Promise<string> => {
    const orderNo = await place();
    await mock.pay(orderNo);
    return orderNo;
  };

  test('take the units at once, and change the order when the money was returned', async () => {
    const orderNo = await payOrder();
    const before = await shopper.balance();
    const refund = await requestRefund({ orderNo, amountFen: 250, key: 'k1' });
    expect(refund).toMatchObject({ status: 'processing', units: 25 });
    expect(await shopper.balance()).toBe(before - 25);
    expect(await status(orderNo)).toBe('paid');
    await mock.refundResult(refund.refundNo, 'SUCCESS');
    expect(await status(orderNo)).toBe('partial_refund');
    const rest = await requestRefund({ orderNo, amountFen: 350, key: 'k2' });
    await mock.refundResult(rest.refundNo, 'SUCCESS');
    expect(await status(orderNo)).toBe('refunded');
    expect(await shopper.balance()).toBe(before - 60);
  });

  test('that WeChat closes return the units', async () => {
    const orderNo = await payOrder();
    const before = await shopper.balance();
    const refund = await requestRefund({ orderNo, amountFen: 600, key: 'k1' });
    expect(await shopper.balance()).toBe(before - 60);
    await mock.refundResult(refund.refundNo, 'CLOSED');
    expect(await shopper.balance()).toBe(before);
    expect(await status(orderNo)).toBe('paid');
    expect(await requestRefund({ orderNo, amountFen: 600, key: 'k2' })).toMatchObject({ status: 'processing' });
  });

  test('with an unknown outcome are sent again with the same number', async () => {
    const orderNo = await payOrder();
    mock.setFault({ on: 'refund', kind: 'system-error-after' });
    const refund = await requestRefund({ orderNo, amountFen: 100, key: 'k1' });
    expect(refund.status).toBe('accepted');
    await makeDue('refunds');
    await sweep();
    const atWechat = mock.refunds().filter(({ outTradeNo }) => outTradeNo === orderNo);
    expect(atWechat).toHaveLength(1);
    await mock.refundResult(refund.refundNo, 'SUCCESS');
    expect(await status(orderNo)).toBe('partial_refund');
  });

  test('and payments are in the bill of the day, which agrees with the ledger', async () => {
    await payOrder();
    const provider = await findProvider('wechatpay');
    const days = [
      ...new Set([-3_600_000, 0].map((ms) => new Date(Date.now() + 8 * 3_600_000 + ms).toISOString().slice(0, 10))),
    ];
    const compared = [];
    for (const day of days) {
      const asked = { provider: 'wechatpay', day, merchantId: undefined, file: undefined, actor: 'tester' };
      compared.push(await reconcileDay(asked));
    }
    expect(compared.flatMap(({ differences }) => differences)).toEqual([]);
    const payments = compared.reduce((sum, day) => sum + day.payments, 0);
    expect(payments).toBeGreaterThan(5);
    expect(await provider?.bill?.('2020-01-01')).toBe(null);
  });

  test('never exceed the payment, also with 30 at once', async () => {
    const orderNo = await payOrder();
    const before = await shopper.balance();
    const asked = Array.from({ length: 30 }, (_, i) => requestRefund({ orderNo, amountFen: 100, key: `k${i % 10}` }));
    const results = await Promise.allSettled(asked);
    const numbers = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value.refundNo] : []));
    expect(new Set(numbers).size).toBe(6);
    for (const result of results) {
      if (result.status === 'rejected') expect(result.reason).toMatchObject({ code: 'INVALID_INPUT' });
    }
    expect(await shopper.balance()).toBe(before - 60);
  });

  test('of spent units leave a negative balance, and the next recharge adds to it', async () => {
    const spender = await shop.shopper('openid-of-a-spender');
    const first = (await spender.create(newKey(), wechatpay)).body.orderNo;
    await mock.pay(first);
    await spender.spend(50);
    await requestRefund({ orderNo: first, amountFen: 600, key: 'k1' });
    expect(await spender.balance()).toBe(-50);
    expect(await spender.spend(1)).toMatchObject({ status: 409 });
    await mock.pay((await spender.create(newKey(), wechatpay)).body.orderNo);
    expect(await spender.balance()).toBe(10);
  });
});
