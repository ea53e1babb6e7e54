import { beforeAll, expect, test } from 'vitest';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { openShop, type Shop } from '../support/recharge-fixture.ts';

let shop: Shop;
beforeAll(async () => {
  shop = await openShop();
});

/** Unpaid orders that are due before every other. */
async function openOrders(userIds: readonly string[], number: number): Promise<void> {
  const rows = Array.from({ length: number }, (_, i) => [
    `R${String(i).padStart(6, '0')}${userIds[0]}`.replaceAll(/[^A-Za-z0-9]/g, '0').slice(0, 32),
    shop.app.appId,
    userIds[i % userIds.length],
  ]);
  for (let at = 0; at < number; at += 500) {
    await shop.stack.mysql.query(
      `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, amount_fen,
         currency, units, next_check_at, expires_at)
       VALUES ${rows
         .slice(at, at + 500)
         .map(
           () =>
             "(?, ?, ?, 'coin', '', 'p', 'sandbox', 600, 'CNY', 60, NOW(3) - INTERVAL 1 HOUR, NOW(3) + INTERVAL 1 HOUR)",
         )
         .join(', ')}`,
      rows.slice(at, at + 500).flat(),
    );
  }
}

test.each([
  ['1 500 open orders of one user', 1, 1_500, 200],
  ['450 open orders of 30 users', 30, 450, 451],
])('one run finds a payment beside %s', { timeout: 120_000 }, async (_, users, orders, asked) => {
  const people = await Promise.all(Array.from({ length: users }, () => shop.shopper()));
  await openOrders(
    people.map(({ userId }) => userId),
    orders,
  );
  const payer = await shop.shopper();
  const { orderNo } = (await payer.create()).body;
  await payAtSandbox(orderNo, { notification: false });
  await shop.stack.mysql.query('UPDATE recharge_orders SET next_check_at = NOW(3) WHERE order_no = ?', [orderNo]);
  const sweep = await sweepRecharge({ stopAt: Date.now() + 60_000 });
  expect(sweep).toMatchObject({ credited: 1, failed: 0 });
  expect(sweep.asked).toBeLessThanOrEqual(asked);
  expect(await payer.balance()).toBe(60);
  await shop.stack.mysql.query('UPDATE recharge_orders SET next_check_at = NULL');
});
