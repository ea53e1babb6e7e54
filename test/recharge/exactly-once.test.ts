import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { isLocking, useLocking } from '../../shared/recharge/append.ts';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { settlePayment } from '../../shared/recharge/payment.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { spend } from '../../shared/recharge/spend.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { newKey, openShop, type Shop, type Shopper, sandboxPayment } from '../support/recharge-fixture.ts';
import { seededRandom } from '../support/seeded.ts';

let shop: Shop;
let shopper: Shopper;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(async () => {
  shopper = await shop.shopper();
});

const place = async (by = shopper): Promise<string> => (await by.create()).body.orderNo;
/** Orders that are marked as paid, and have no entry that credits them. */
async function paidWithoutCredit(): Promise<unknown> {
  const [rows] = await shop.stack.mysql.query(
    `SELECT o.order_no FROM recharge_orders o LEFT JOIN ledger_entries e ON e.kind = 'recharge' AND e.ref = o.order_no
      WHERE o.status = 'paid' AND e.ref IS NULL`,
  );
  return rows;
}

describe('after a crash between two steps', () => {
  test('of a notification, the next delivery credits once and marks the order as paid', async () => {
    await crashBeforeEach(shop.stack, async (dying) => {
      const orderNo = await place();
      const before = await shopper.balance();
      await dying(async () => shop.notify({ orderNo }));
      expect(await paidWithoutCredit()).toEqual([]);
      expect(await shop.notify({ orderNo })).toMatchObject({ status: 204 });
      expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('paid');
      expect(await shopper.balance()).toBe(before + 60);
    });
  });

  test('of a refund, the same call completes it, and units and money agree', async () => {
    await crashBeforeEach(shop.stack, async (dying) => {
      const orderNo = await place();
      await shop.notify({ orderNo });
      const before = await shopper.balance();
      const refund = { orderNo, amountFen: 600, key: 'k' };
      await dying(() => requestRefund(refund));
      expect(await requestRefund(refund)).toMatchObject({ status: 'success', units: 60 });
      expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('refunded');
      expect(await shopper.balance()).toBe(before - 60);
    });
  });

  test('of a spend or a creation, the same key succeeds and takes the units once', async () => {
    await shop.notify({ orderNo: await place() });
    await crashBeforeEach(shop.stack, async (dying, n) => {
      const key = newKey();
      await dying(async () => [await shopper.spend(1, key), await shopper.create(key)]);
      expect((await shopper.spend(1, key)).status).toBe(201);
      expect((await shopper.create(key)).status).toBe(201);
      expect(await shopper.balance()).toBe(60 - n);
    });
  });
});

test('an order is created once and credited once when MySQL loses one of three answers', async () => {
  const draw = seededRandom(7);
  const key = newKey();
  shop.stack.faults.mysql = () => (draw() < 0.33 ? { kind: 'drop-after' } : undefined);
  for (let i = 0; i < 3; i++) await shopper.create(key);
  shop.stack.faults.mysql = undefined;
  await expect.poll(async () => (await shopper.create(key)).status, { timeout: 15_000 }).toBe(201);
  const { orderNo } = (await shopper.create(key)).body;
  shop.stack.faults.mysql = () => (draw() < 0.33 ? { kind: 'drop-after' } : undefined);
  for (let i = 0; i < 3; i++) await shop.notify({ orderNo });
  shop.stack.faults.mysql = undefined;
  // After several failures the circuit breaker refuses calls for two seconds.
  await expect.poll(async () => (await shop.notify({ orderNo })).status, { timeout: 15_000 }).toBe(204);
  expect(await shopper.balance()).toBe(60);
});

describe('many calls at once', () => {
  async function runMixedCalls(operations: number, people: number): Promise<void> {
    const draw = seededRandom(3);
    const shoppers = await Promise.all(Array.from({ length: people }, () => shop.shopper()));
    const orders = await Promise.all(
      shoppers.flatMap((by) => [0, 1, 2].map(async () => ({ by, orderNo: await place(by) }))),
    );
    let left = operations;
    const worker = async (): Promise<void> => {
      while (left-- > 0) {
        const { by, orderNo } = orders[Math.floor(draw() * orders.length)] as (typeof orders)[0];
        const dice = draw();
        if (dice < 0.45) await settlePayment(sandboxPayment(orderNo));
        else if (dice < 0.9) await refusable(spend(shop.app.appId, by.userId, newKey(), { amount: 1 + (left % 5) }));
        else await refusable(requestRefund({ orderNo, amountFen: 50, key: newKey() }));
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  }
  /** INSUFFICIENT_BALANCE and a refund above the payment are valid answers. A deadlock is not. */
  const refusable = (work: Promise<unknown>) =>
    work.catch((error: Error & { code?: string }) => {
      if (error.code !== 'INSUFFICIENT_BALANCE' && error.code !== 'INVALID_INPUT') throw error;
    });

  test('1 000 credits, spends and refunds of 20 users give no caller an error, and the ledger audit finds nothing', {
    timeout: 120_000,
  }, async () => {
    await runMixedCalls(1_000, 20);
    expect((await auditLedger()).findings).toEqual([]);
  });

  test('an engine without STRAIGHT_JOIN and FOR UPDATE gets plain statements, and the ledger audit finds nothing', {
    timeout: 120_000,
  }, async () => {
    const error = { code: 'UNKNOWN', message: 'syntax error (errno 1064) (sqlstate 42000)' };
    shop.stack.faults.mysql = ({ sql = '' }) =>
      /STRAIGHT_JOIN/.test(sql) ? { kind: 'status', status: 200, body: JSON.stringify({ error }) } : undefined;
    try {
      await runMixedCalls(400, 8);
      expect(isLocking()).toBe(false);
    } finally {
      shop.stack.faults.mysql = undefined;
      useLocking(true);
    }
    expect((await auditLedger()).findings).toEqual([]);
  });
});

describe('requests to Redis and to MySQL', () => {
  const cost = async (work: () => Promise<unknown>) => {
    await shop.stack.resetCounters();
    await work();
    const { redisRequests, mysqlRequests } = await shop.stack.counters();
    return { redis: redisRequests, mysql: mysqlRequests };
  };

  test('an order costs 1 and 1, its notification 1 and 2, a cached balance 1 and 0, a spend 2 and 1', async () => {
    await shopper.balance();
    let orderNo = '';
    expect(await cost(async () => (orderNo = await place()))).toEqual({ redis: 1, mysql: 1 });
    expect(await cost(() => shop.notify({ orderNo }))).toEqual({ redis: 1, mysql: 2 });
    expect(await cost(() => shopper.balance())).toEqual({ redis: 2, mysql: 1 });
    expect(await cost(() => shopper.balance())).toEqual({ redis: 1, mysql: 0 });
    expect(await cost(() => shopper.spend(5))).toEqual({ redis: 2, mysql: 1 });
    await shopper.get('/recharge/params');
    expect(await cost(() => shopper.get('/recharge/params'))).toEqual({ redis: 1, mysql: 0 });
    expect(await cost(() => shopper.get('/balance/entries'))).toEqual({ redis: 1, mysql: 1 });
  });
});

describe('the cached balance', () => {
  test('includes every payment that was answered before the read', async () => {
    const orders = await Promise.all(Array.from({ length: 6 }, () => place()));
    let known = 0;
    let reading = true;
    const reader = (async () => {
      while (reading) {
        const atLeast = known;
        expect(await shopper.balance()).toBeGreaterThanOrEqual(atLeast);
      }
    })();
    for (const orderNo of orders) {
      await shop.notify({ orderNo });
      known += 60;
    }
    reading = false;
    await reader;
    expect(await shopper.balance()).toBe(360);
  });

  test('does not stop a credit when Redis is down, and an old balance ends within 30 s', async () => {
    expect(await shopper.balance()).toBe(0);
    const orderNo = await place();
    shop.stack.faults.redis = () => ({ kind: 'drop-before' });
    expect((await shop.notify({ orderNo })).status).toBe(204);
    shop.stack.faults.redis = undefined;
    const keys = await shop.stack.redis.keys('*:cache:balance:*');
    for (const key of keys) expect(await shop.stack.redis.pttl(key)).toBeLessThanOrEqual(30_000);
    await shop.stack.redis.del(...keys);
    await expect.poll(() => shopper.balance(), { timeout: 15_000 }).toBe(60);
  });
});

test('a payment is credited although the row of its user was deleted', async () => {
  const orderNo = await place();
  await shop.stack.mysql.execute('DELETE FROM users WHERE user_id = ?', [shopper.userId]);
  expect((await shop.notify({ orderNo })).status).toBe(204);
  await shop.stack.mysql.execute('DELETE FROM users WHERE user_id = ?', [shopper.userId]);
  expect((await shop.notify({ orderNo })).status).toBe(204);
  expect((await shop.notify({ orderNo, amountFen: 1 })).status).toBe(409);
  expect((await shop.notify({ orderNo, transactionId: 'another' })).status).toBe(409);
  expect((await auditLedger()).findings).toEqual([]);
});
