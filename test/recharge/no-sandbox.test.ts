import { afterAll, beforeAll, expect, test } from 'vitest';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { sandboxSignature } from '../../shared/recharge/sandbox/provider.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

/** Like serverless.yml, this deployment has no SANDBOX_KEY. One order is older than the removal of the key. */
let shop: Shop;
let shopper: Shopper;
let orderNo: string;
const before = process.env.SANDBOX_KEY;
beforeAll(async () => {
  shop = await openShop();
  shopper = await shop.shopper();
  orderNo = (await shopper.create()).body.orderNo;
  await payAtSandbox(orderNo, { notification: false });
  delete process.env.SANDBOX_KEY;
});
afterAll(() => {
  if (before !== undefined) process.env.SANDBOX_KEY = before;
});

test('without SANDBOX_KEY no order, notification, sync or sweep of the sandbox credits a unit', async () => {
  expect((await shopper.get('/recharge/params')).body.providers).toEqual([]);
  expect(await shopper.create(newKey())).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
  for (const key of ['', 'undefined', shop.stack.env.SANDBOX_KEY ?? '']) {
    const timestamp = String(Math.floor(Date.now() / 1000));
    const notification = { amountFen: 600, currency: 'CNY', transactionId: 't', status: 'SUCCESS' };
    const signature = sandboxSignature(key, timestamp, JSON.stringify({ ...notification, orderNo }));
    expect(await shop.notify({ ...notification, orderNo }, { signature })).toMatchObject({ status: 404 });
  }
  expect((await shopper.sync(orderNo)).status).toBe(503);
  await expect(payAtSandbox(orderNo, { notification: true })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  await shop.stack.mysql.query('UPDATE recharge_orders SET next_check_at = NOW(3) - INTERVAL 1 SECOND');
  expect(await sweepRecharge({ stopAt: Date.now() + 10_000 })).toMatchObject({ asked: 0, credited: 0, failed: 1 });
  expect(await shopper.balance()).toBe(0);
});
