import { beforeAll, describe, expect, test } from 'vitest';
import { payAtSandbox } from '../shared/recharge/sandbox-pay.ts';
import { openShop, type Shop, type Shopper } from './recharge-fixture.ts';

let shop: Shop;
let shopper: Shopper;
let orderNo: string;
beforeAll(async () => {
  shop = await openShop();
});

async function place(): Promise<void> {
  shopper = await shop.shopper();
  orderNo = (await shopper.create()).body.orderNo;
}

describe('paying at the sandbox', () => {
  test('with its notice credits the order', async () => {
    await place();
    await payAtSandbox(orderNo, { notice: true, url: shop.stack.url });
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('paid');
    await place();
    await payAtSandbox(orderNo, { notice: true });
    expect(await shopper.balance()).toBe(60);
  });

  test('without a notice waits for sync, which credits once', async () => {
    await place();
    expect((await shopper.sync(orderNo)).body.status).toBe('pending');
    await payAtSandbox(orderNo, { notice: false });
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('pending');
    const synced = await Promise.all(Array.from({ length: 5 }, () => shopper.sync(orderNo)));
    expect(synced.map(({ body }) => body.status)).toEqual(new Array(5).fill('paid'));
    expect(await shopper.balance()).toBe(60);
  });

  test('of an order that is not there is NOT_FOUND', async () => {
    await expect(payAtSandbox('R234', { notice: true })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});
