import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { setMerchant } from '../../shared/recharge/merchant.ts';
import { findProvider } from '../../shared/recharge/providers.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

let shop: Shop;
let shopper: Shopper;
let mock: MockWechatPay;
const wechatpay = { productId: 'coins-60', provider: 'wechatpay' };

beforeAll(async () => {
  shop = await openShop();
  mock = await startMockWechatPay({ notifyUrl: `${shop.stack.url}/recharge/notify/wechatpay`, speed: 100 });
  afterAll(() => mock.stop());
  shopper = await shop.shopper('openid-of-a-payer');
});
beforeEach(async () => {
  await setMerchant('wechatpay', mock.config);
});

afterEach(() => mock.clearFaults());

const place = async (key = newKey()): Promise<string> => (await shopper.create(key, wechatpay)).body.orderNo;
const status = async (orderNo: string): Promise<string> => (await shopper.get(`/recharge/${orderNo}`)).body.status;
const another = () => setMerchant('wechatpay', { ...mock.config, mchId: '1900000999' });
const expire = (orderNo: string) =>
  shop.stack.mysql.query(
    `UPDATE recharge_orders SET expires_at = NOW(3) - INTERVAL 1 MINUTE, next_check_at = NOW(3) - INTERVAL 1 SECOND
      WHERE order_no = ?`,
    [orderNo],
  );
const sweep = () => sweepRecharge({ stopAt: Date.now() + 30_000 });

describe('an order of the merchant that was set before', () => {
  test('gets no payment sheet of the next one, whose notification its guards would refuse', async () => {
    const key = newKey();
    await place(key);
    await another();
    const again = await shopper.create(key, wechatpay);
    expect(again).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT', errors: [{ path: 'provider' }] } });
  });

  test('is not closed on the word of the next one, and is credited once its own is set again', async () => {
    const orderNo = await place();
    mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
    await mock.pay(orderNo);
    await another();
    await expire(orderNo);
    expect(await sweep()).toMatchObject({ asked: 0, closed: 0, failed: 1 });
    expect(await shopper.sync(orderNo)).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    expect(await status(orderNo)).toBe('pending');
    await setMerchant('wechatpay', mock.config);
    await expire(orderNo);
    expect(await sweep()).toMatchObject({ credited: 1 });
    expect(await status(orderNo)).toBe('paid');
  });

  test('is not refunded by the next one, and keeps its units', async () => {
    const orderNo = await place();
    await mock.pay(orderNo);
    const before = await shopper.balance();
    await another();
    const refund = requestRefund({ orderNo, amountFen: 600, key: 'k' });
    await expect(refund).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(await shopper.balance()).toBe(before);
  });
});

test('a payment that was refunded by hand before it was credited is not credited by sync or sweeper', async () => {
  const orderNo = await place();
  const before = await shopper.balance();
  mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
  await mock.pay(orderNo);
  const provider = await findProvider('wechatpay');
  await provider?.refund({ orderNo, refundNo: 'by-hand', refundFen: 600, totalFen: 600, reason: null });
  await mock.refundResult('by-hand', 'SUCCESS');
  await shopper.sync(orderNo);
  await expire(orderNo);
  await sweep();
  expect(await status(orderNo)).toBe('closed');
  expect(await shopper.balance()).toBe(before);
});

test('a reason that WeChat would never take is refused before any unit leaves the wallet', async () => {
  const orderNo = await place();
  await mock.pay(orderNo);
  const before = await shopper.balance();
  const refund = requestRefund({ orderNo, amountFen: 600, key: 'k', reason: '😀'.repeat(41) });
  await expect(refund).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  expect(await shopper.balance()).toBe(before);
});
