import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { setMerchant } from '../../shared/recharge/merchant.ts';
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
  shopper = await shop.shopper('openid-of-a-payer');
});
beforeEach(async () => {
  await setMerchant('wechatpay', mock.config);
});

afterEach(() => mock.clearFaults());

const place = async (key = newKey()): Promise<string> => (await shopper.create(key, wechatpay)).body.orderNo;
const status = async (orderNo: string): Promise<string> => (await shopper.get(`/recharge/${orderNo}`)).body.status;
const setNewMerchant = () => setMerchant('wechatpay', { ...mock.config, mchId: '1900000999' });
const expire = (orderNo: string) =>
  shop.stack.mysql.query(
    `UPDATE recharge_orders SET expires_at = NOW(3) - INTERVAL 1 MINUTE, next_check_at = NOW(3) - INTERVAL 1 SECOND
      WHERE order_no = ?`,
    [orderNo],
  );
const sweep = () => sweepRecharge({ stopAt: Date.now() + 30_000 });

describe('an order of the previous merchant', () => {
  test('gets no payment sheet from the new merchant', async () => {
    const key = newKey();
    await place(key);
    await setNewMerchant();
    const again = await shopper.create(key, wechatpay);
    expect(again).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT', errors: [{ path: 'provider' }] } });
  });

  test('is not closed while a new merchant is set, and is credited when its own is set again', async () => {
    const orderNo = await place();
    mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
    await mock.pay(orderNo);
    await setNewMerchant();
    await expire(orderNo);
    expect(await sweep()).toMatchObject({ asked: 0, closed: 0, failed: 1 });
    expect(await shopper.sync(orderNo)).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    expect(await status(orderNo)).toBe('pending');
    await setMerchant('wechatpay', mock.config);
    await expire(orderNo);
    expect(await sweep()).toMatchObject({ credited: 1 });
    expect(await status(orderNo)).toBe('paid');
  });

  test('is not refunded by the new merchant, and the user keeps the units', async () => {
    const orderNo = await place();
    await mock.pay(orderNo);
    const before = await shopper.balance();
    await setNewMerchant();
    const refund = requestRefund({ orderNo, amountFen: 600, key: 'k' });
    await expect(refund).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(await shopper.balance()).toBe(before);
  });
});

test('a payment that was refunded at WeChat Pay before its credit is not credited by sync or sweeper', async () => {
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

test('a refund reason that is too long for WeChat Pay is refused, and no units are taken', async () => {
  const orderNo = await place();
  await mock.pay(orderNo);
  const before = await shopper.balance();
  const refund = requestRefund({ orderNo, amountFen: 600, key: 'k', reason: '😀'.repeat(41) });
  await expect(refund).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  expect(await shopper.balance()).toBe(before);
});
