import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { newIdentity } from '../../local/simulators/wechatpay/identity.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { removeMerchant, setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { listMerchants } from '../../shared/recharge/merchant-list.ts';
import { findProvider } from '../../shared/recharge/providers.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { atTime } from '../support/clock.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

let shop: Shop;
let shopper: Shopper;
let mock: MockWechatPay;
/** The merchant that takes the place of the first. Its notifications come to the same address. */
let second: MockWechatPay;
const wechatpay = { productId: 'coins-60', provider: 'wechatpay' };
const actor = 'tester';

beforeAll(async () => {
  shop = await openShop();
  const options = { notifyUrl: `${shop.stack.url}/recharge/notify/wechatpay`, speed: 100 };
  mock = await startMockWechatPay(options);
  second = await startMockWechatPay({ ...options, identity: { ...newIdentity(), mchId: '1900000002' } });
  atEndOfFile(() => Promise.all([mock.stop(), second.stop()]));
  shopper = await shop.shopper('openid-of-a-payer');
});
beforeEach(() => setMerchant('wechatpay', mock.config, { actor, force: true }));
afterEach(() => {
  mock.clearFaults();
  second.clearFaults();
});

const place = async (key = newKey()): Promise<string> => (await shopper.create(key, wechatpay)).body.orderNo;
const status = async (orderNo: string): Promise<string> => (await shopper.get(`/recharge/${orderNo}`)).body.status;
const replace = (force = true) => setMerchant('wechatpay', second.config, { actor, force });
const expire = (orderNo: string) =>
  shop.stack.mysql.query(
    `UPDATE recharge_orders SET expires_at = NOW(3) - INTERVAL 1 MINUTE, next_check_at = NOW(3) - INTERVAL 1 SECOND
      WHERE order_no = ?`,
    [orderNo],
  );
const sweep = () => sweepRecharge({ stopAt: Date.now() + 30_000 });
/** A process keeps the list of merchants for 5 s, so each time is later than that after the one before. */
let ahead = 0;
const later = <T>(work: () => Promise<T>): Promise<T> => {
  ahead += 12_000;
  return atTime(Date.now() + ahead, work);
};
const known = (at: MockWechatPay, orderNo: string) => at.orders().some(({ outTradeNo }) => outTradeNo === orderNo);

describe('another merchant as the default', () => {
  test('is refused while the present one has open orders or running refunds, and the refusal counts them', async () => {
    const [open, refunded] = [await place(), await place()];
    await mock.pay(refunded);
    await requestRefund({ orderNo: refunded, amountFen: 100, key: 'k' });
    await expect(replace(false)).rejects.toThrow(/1900000001 .* has \d+ open orders and 1 running refunds/);
    await place();
    expect(known(second, open)).toBe(false);
    expect((await listMerchants()).map(({ merchantId }) => merchantId)).not.toContain('1900000002');
    await mock.refundResult(mock.refunds()[0]?.outRefundNo ?? '', 'SUCCESS');
  });

  test('is not needed for another key, certificate or address of the same merchant', async () => {
    await place();
    const changed = {
      ...mock.config,
      notifyUrl: `${mock.config.notifyUrl}/`,
      platformKeys: [...mock.config.platformKeys],
    };
    expect(await setMerchant('wechatpay', changed, { actor })).toMatchObject({ isDefault: true, former: null });
  });

  test('takes new orders, and the former one keeps its own: payable, credited, swept and refunded', async () => {
    const key = newKey();
    const old = await place(key);
    expect(await replace()).toMatchObject({ former: { merchantId: '1900000001' }, isDefault: true });
    const fresh = await place();
    expect([known(mock, old), known(second, fresh), known(mock, fresh)]).toEqual([true, true, false]);
    expect(await shopper.create(key, wechatpay)).toMatchObject({
      status: 201,
      body: { orderNo: old, status: 'pending' },
    });
    expect(mock.orders().find(({ outTradeNo }) => outTradeNo === old)?.state).toBe('NOTPAY');
    const before = await shopper.balance();
    await later(async () => {
      await Promise.all([mock.pay(old), second.pay(fresh)]);
    });
    expect(await shopper.balance()).toBe(before + 120);
    const refund = await requestRefund({ orderNo: old, amountFen: 600, key: 'k' });
    await mock.refundResult(refund.refundNo, 'SUCCESS');
    expect(await status(old)).toBe('refunded');
    for (const { flawsAccepted } of [...mock.notifications(), ...second.notifications()]) expect(flawsAccepted).toBe(0);
  });

  test('loses no payment whose notification was lost: sync and sweeper ask the merchant of the order', async () => {
    for (const find of [(orderNo: string) => shopper.sync(orderNo), (orderNo: string) => expire(orderNo).then(sweep)]) {
      await setMerchant('wechatpay', mock.config, { actor, force: true });
      const orderNo = await place();
      await replace();
      mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
      await mock.pay(orderNo);
      await find(orderNo);
      expect(await status(orderNo)).toBe('paid');
      mock.clearFaults();
    }
  });
});

describe('a merchant that was removed', () => {
  const remove = (force: boolean) => removeMerchant('wechatpay', undefined, { actor, force });

  test('is only removed by force while it has open orders', async () => {
    await place();
    await expect(remove(false)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect((await listMerchants()).some(({ isDefault }) => isDefault)).toBe(true);
  });

  test('leaves its orders as they are until it is set again', async () => {
    const key = newKey();
    const orderNo = await place(key);
    mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
    await mock.pay(orderNo);
    await remove(true);
    const again = await shopper.create(key, wechatpay);
    expect(again).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT', errors: [{ path: 'provider' }] } });
    await expire(orderNo);
    expect(await sweep()).toMatchObject({ closed: 0, credited: 0 });
    const synced = await later(() => shopper.sync(orderNo));
    expect(synced).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
    const refund = requestRefund({ orderNo, amountFen: 600, key: 'k' });
    await expect(refund).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(await status(orderNo)).toBe('pending');
    await setMerchant('wechatpay', mock.config, { actor });
    await expire(orderNo);
    expect(await sweep()).toMatchObject({ credited: 1 });
    expect(await status(orderNo)).toBe('paid');
  });
});

test('a payment that was refunded at WeChat Pay before its credit is not credited by sync or sweeper', async () => {
  const orderNo = await place();
  const before = await shopper.balance();
  mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
  await mock.pay(orderNo);
  const provider = await findProvider('wechatpay');
  const order = { orderNo, userId: '', providerAppId: '', payerOpenid: null };
  await provider?.refund({ ...order, refundNo: 'by-hand', refundFen: 600, totalFen: 600, reason: null });
  await mock.refundResult('by-hand', 'SUCCESS');
  await later(() => shopper.sync(orderNo));
  expect(await status(orderNo)).toBe('closed');
  await expire(orderNo);
  await sweep();
  expect(await status(orderNo)).toBe('closed');
  expect(await shopper.balance()).toBe(before);
});
