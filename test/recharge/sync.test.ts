import { beforeAll, describe, expect, test } from 'vitest';
import { auditLedger } from '../../shared/recharge/audit.ts';
import type { Order } from '../../shared/recharge/order.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { nextOrderCheck, sweepRecharge } from '../../shared/recharge/sweep.ts';
import { openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

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
  test('with a notification credits the order', async () => {
    await place();
    await payAtSandbox(orderNo, { notification: true, url: shop.stack.url });
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('paid');
    await place();
    await payAtSandbox(orderNo, { notification: true });
    expect(await shopper.balance()).toBe(60);
  });

  test('without a notification leaves the order pending until sync, which credits once', async () => {
    await place();
    expect((await shopper.sync(orderNo)).body.status).toBe('pending');
    await payAtSandbox(orderNo, { notification: false });
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('pending');
    const synced = await Promise.all(Array.from({ length: 5 }, () => shopper.sync(orderNo)));
    expect(synced.map(({ body }) => body.status)).toEqual(new Array(5).fill('paid'));
    expect(await shopper.balance()).toBe(60);
  });

  test('sync marks a credited order as paid when the mark was lost', async () => {
    await place();
    await shop.notify({ orderNo, transactionId: 'tx:with-colon' });
    await shop.stack.mysql.execute(
      "UPDATE recharge_orders SET status = 'pending', paid_at = NULL, transaction_id = NULL WHERE order_no = ?",
      [orderNo],
    );
    expect((await shopper.sync(orderNo)).body).toMatchObject({ status: 'paid', paidAt: expect.any(String) });
    expect((await auditLedger()).findings).toEqual([]);
    expect(await shopper.balance()).toBe(60);
  });

  test('for an unknown order is NOT_FOUND', async () => {
    await expect(payAtSandbox('R234', { notification: true })).rejects.toMatchObject({ code: 'NOT_FOUND' });
  });
});

describe('the sweeper', () => {
  const makeDue = () =>
    shop.stack.mysql.query(
      'UPDATE recharge_orders SET next_check_at = NOW(3) - INTERVAL 1 SECOND WHERE next_check_at IS NOT NULL',
    );

  test('credits a payment without a notification once, also when two sweepers run', async () => {
    await place();
    await payAtSandbox(orderNo, { notification: false });
    await makeDue();
    const stopAt = Date.now() + 20_000;
    const sweeps = await Promise.all([sweepRecharge({ stopAt }), sweepRecharge({ stopAt })]);
    expect(sweeps.reduce((sum, { credited }) => sum + credited, 0)).toBe(1);
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('paid');
  });

  test('marks a credited order as paid when the mark was lost', async () => {
    await place();
    await shop.notify({ orderNo });
    await shop.stack.mysql.query(
      "UPDATE recharge_orders SET status = 'closed', next_check_at = NOW(3) - INTERVAL 1 MINUTE WHERE order_no = ?",
      [orderNo],
    );
    expect(await sweepRecharge({ stopAt: Date.now() + 20_000 })).toMatchObject({ repaired: 1 });
    expect((await auditLedger()).findings).toEqual([]);
  });

  test('closes an unpaid order in the millisecond in which it expires, and not before', async () => {
    await place();
    const [[order]] = (await shop.stack.mysql.query('SELECT expires_at FROM recharge_orders WHERE order_no = ?', [
      orderNo,
    ])) as unknown as [[{ expires_at: Date }]];
    const sweepAt = async (now: number): Promise<string> => {
      await makeDue();
      await sweepRecharge({ stopAt: now + 20_000, now: () => now });
      return (await shopper.get(`/recharge/${orderNo}`)).body.status;
    };
    const endsAt = order.expires_at.getTime();
    expect([await sweepAt(endsAt - 1), await sweepAt(endsAt)]).toEqual(['pending', 'closed']);
  });

  test('runs as a function on its schedule', async () => {
    await place();
    await makeDue();
    const { handler } = await import('../../functions/recharge-sweep.ts');
    const lambda = { awsRequestId: 'r', getRemainingTimeInMillis: () => 50_000 };
    expect(await handler({ kind: 'recharge-sweep' }, lambda as never)).toMatchObject({ failed: 0 });
  });

  test('asks less and less often, once more at the end, and stops for closed orders after three days', () => {
    const now = Date.parse('2026-01-01T00:00:00Z');
    const check = (checks: number, secondsLeft: number, status: Order['status'] = 'pending') =>
      nextOrderCheck({ checks, status, expiresAt: new Date(now + secondsLeft * 1000).toISOString() } as Order, now);
    expect([0, 1, 2, 3, 4, 5, 6].map((checks) => check(checks, 1_700))).toEqual([30, 60, 120, 240, 480, 600, 600]);
    expect(check(9, 60)).toBe(65);
    expect([-60, -7_200, -90_000].map((left) => check(9, left, 'closed'))).toEqual([600, 10_800, 86_400]);
    expect(check(9, -72 * 3_600, 'closed')).toBeNull();
    expect(check(9, -72 * 3_600, 'pending')).toBe(86_400);
  });
});
