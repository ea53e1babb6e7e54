import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WECHAT_PATHS } from '../../local/simulators/wechat/paths.ts';
import { alarmsOf } from '../support/alarms.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { openXpayShop, type XpayShop } from '../support/xpay-shop.ts';

const { xpayQuery, xpayProvide } = WECHAT_PATHS;
let world: XpayShop;
beforeAll(async () => {
  world = await openXpayShop();
});
beforeEach(() => world.newPayer());
afterEach(async () => {
  world.wechat.misbehave(null);
  world.shop.stack.faults.mysql = undefined;
  expect(await world.findings()).toEqual([]);
});

const expire = (orderNo: string) =>
  world.run('UPDATE recharge_orders SET expires_at = NOW(3) - INTERVAL 1 SECOND WHERE order_no = ?', [orderNo]);
const statusOf = async (orderNo: string) => (await world.row(orderNo)).status;

describe('a payment of virtual payment whose push was lost', () => {
  test('is credited by the sweeper before the order would be closed, and WeChat is told of the delivery', async () => {
    const orderNo = await world.unknownPayment();
    await expire(orderNo);
    expect(await world.sweepLater()).toMatchObject({ credited: 1, closed: 0 });
    const { status, transaction_id, paid_at, delivery } = await world.row(orderNo);
    const record = world.record(orderNo);
    expect([status, transaction_id, delivery]).toEqual(['paid', record.wxpay_order_id, 'due']);
    expect(paid_at.getTime()).toBe(record.paid_time * 1000);
    expect(await world.shopper.balance()).toBe(60);
    expect(await world.sweepLater()).toMatchObject({ delivered: 1 });
    expect(world.record(orderNo).status).toBe(4);
    expect((await world.row(orderNo)).delivery).toBe('reported');
  });

  test.each([[false], [true]])(
    'is credited by sync, and a late push is no second payment (Apple: %s)',
    async (apple) => {
      const orderNo = await world.unknownPayment({ apple });
      expect((await world.shopper.sync(orderNo)).body.status).toBe('paid');
      for (let i = 0; i < 2; i++) {
        const alarms = await alarmsOf(async () => {
          expect(await world.pushPayment(orderNo)).toMatchObject({ status: 200, body: { ErrCode: 0 } });
        });
        expect(alarms).toEqual([]);
      }
      expect(await world.shopper.balance()).toBe(60);
      expect((await world.row(orderNo)).transaction_id).toBe(apple ? orderNo : world.record(orderNo).wxpay_order_id);
    },
  );

  test('is credited once by push, sync and two sweepers at the same time', async () => {
    const orderNo = await world.unknownPayment();
    await Promise.all([
      ...[1, 2, 3].map(() => world.shopper.sync(orderNo)),
      ...[1, 2].map(() => world.pushPayment(orderNo)),
      ...[1, 2].map(() => world.sweepLater()),
    ]);
    await world.sweepLater();
    expect([await statusOf(orderNo), await world.shopper.balance()]).toEqual(['paid', 60]);
  });

  test('is credited once after a crash before any request of the sweeper, and reported in the end', async () => {
    await crashBeforeEach(world.shop.stack, async (dying, n) => {
      const orderNo = await world.unknownPayment();
      const before = await world.shopper.balance();
      await world.run('UPDATE recharge_orders SET delivery_check_at = NOW(3) WHERE delivery_check_at IS NOT NULL');
      await dying(async () => {
        await world.sweepLater();
        await world.sweepLater();
      });
      await world.sweepLater();
      await world.sweepLater();
      expect([n, await world.shopper.balance()]).toEqual([n, before + 60]);
      expect(await world.row(orderNo)).toMatchObject({ status: 'paid', delivery: 'reported' });
      expect(world.record(orderNo).status).toBe(4);
    });
  });

  test('that is made after the close is still found by the sweeper', async () => {
    const orderNo = await world.unknownPayment();
    const record = world.record(orderNo);
    record.status = 1;
    await expire(orderNo);
    await world.sweepLater();
    expect(await statusOf(orderNo)).toBe('closed');
    record.status = 2;
    expect(await world.sweepLater()).toMatchObject({ credited: 1 });
    expect(await world.shopper.balance()).toBe(60);
  });

  test('of another amount, another environment, or refunded before is not credited', async () => {
    const [other, sandbox, refunded] = [
      await world.unknownPayment(),
      await world.unknownPayment(),
      await world.unknownPayment(),
    ];
    world.record(other).paid_fee = 599;
    world.record(sandbox).env_type = 2;
    Object.assign(world.record(refunded), { status: 5, left_fee: 0 });
    const mismatch = await alarmsOf(async () => {
      expect((await world.shopper.sync(other)).status).toBe(409);
    });
    expect(mismatch).toMatchObject([{ code: 'notification-mismatch', difference: 'amount' }]);
    expect((await world.shopper.sync(sandbox)).body.status).toBe('pending');
    const alarms = await alarmsOf(async () => {
      expect((await world.shopper.sync(refunded)).body.status).toBe('closed');
    });
    expect(alarms).toMatchObject([{ code: 'refunded-uncredited', orderNo: refunded }]);
    expect(await world.shopper.balance()).toBe(0);
    world.record(other).paid_fee = 600;
  });

  test('is not lost while WeChat does not answer, is busy, or does not accept our signature', async () => {
    const orderNo = await world.unknownPayment();
    await expire(orderNo);
    for (const errcode of [-1, 45009, 268490003, 48001, 268490002, 1]) {
      world.wechat.failNextAt(xpayQuery, errcode);
      expect([errcode, (await world.shopper.sync(orderNo)).status]).toEqual([errcode, 503]);
    }
    for (const kind of ['cut', 'lose-ack', 'refuse'] as const) {
      world.wechat.misbehave(({ path }) => (path === xpayQuery ? { kind } : null));
      expect((await world.shopper.sync(orderNo)).status).toBe(503);
    }
    for (const change of [{ env_type: 2 }, { order_id: 'R2' }, { status: '2' }]) {
      const body = { errcode: 0, order: { ...world.record(orderNo), ...change } };
      world.wechat.misbehave(({ path }) => (path === xpayQuery ? { kind: 'answer', status: 200, body } : null));
      expect((await world.shopper.sync(orderNo)).status).toBe(503);
    }
    world.wechat.misbehave(null);
    for (const status of [9, 10, 99]) {
      world.record(orderNo).status = status;
      expect((await world.shopper.sync(orderNo)).status).toBe(503);
    }
    expect(await statusOf(orderNo)).toBe('pending');
    world.record(orderNo).status = 3;
    expect((await world.shopper.sync(orderNo)).body.status).toBe('paid');
  });
});

describe('an order of virtual payment', () => {
  test('that is not paid stays open, and is asked for before it is closed', async () => {
    const orderNo = await world.placedOrder();
    expect((await world.shopper.sync(orderNo)).body.status).toBe('pending');
    await expire(orderNo);
    const asked = world.wechat.calls(xpayQuery);
    expect(await world.sweepLater()).toMatchObject({ closed: 1, failed: 0 });
    expect(world.wechat.calls(xpayQuery)).toBeGreaterThan(asked);
    expect(await statusOf(orderNo)).toBe('closed');
  });

  test('keeps the openid of the login that pays, and one of a former release is asked for with that of its user', async () => {
    const orderNo = await world.unknownPayment();
    const { payer_openid: openid, user_id: userId } = await world.row(orderNo);
    expect(openid).toBe(world.record(orderNo).openid);
    await world.run('UPDATE recharge_orders SET payer_openid = NULL WHERE order_no = ?', [orderNo]);
    expect((await world.shopper.sync(orderNo)).body.status).toBe('pending');
    const appid = world.shop.stack.env.WECHAT_APPID;
    await world.run("INSERT INTO identities (platform, platform_app, subject, user_id) VALUES ('wechat', ?, ?, ?)", [
      appid,
      openid,
      userId,
    ]);
    expect((await world.shopper.sync(orderNo)).body.status).toBe('paid');
  });
});

describe('the delivery of an order of virtual payment', () => {
  test('is not reported after a push: our answer told it', async () => {
    await world.sweepLater();
    const orderNo = await world.paidOrder();
    const calls = world.wechat.calls(xpayProvide);
    await world.sweepLater();
    expect((await world.row(orderNo)).delivery).toBeNull();
    expect(world.wechat.calls(xpayProvide)).toBe(calls);
  });

  test('counts as reported if WeChat knows it already, by an errcode or by the state of the order', async () => {
    for (const [errcode, status] of [
      [268490004, 4],
      [268490002, 4],
      [268490002, 5],
    ] as const) {
      const orderNo = await world.unknownPayment();
      await world.shopper.sync(orderNo);
      world.record(orderNo).status = status;
      world.wechat.failNextAt(xpayProvide, errcode);
      expect(await world.sweepLater()).toMatchObject({ delivered: 1 });
      expect((await world.row(orderNo)).delivery).toBe('reported');
    }
  });

  test('is sent again after a refusal and after a lost answer', async () => {
    const orderNo = await world.unknownPayment();
    await world.shopper.sync(orderNo);
    world.wechat.failNextAt(xpayProvide, 268490002);
    await world.sweepLater();
    expect(await world.row(orderNo)).toMatchObject({ delivery: 'due', delivery_checks: 1 });
    world.wechat.misbehave(({ path }) => (path === xpayProvide ? { kind: 'lose-ack' } : null));
    await world.sweepLater();
    expect([(await world.row(orderNo)).delivery, world.record(orderNo).status]).toEqual(['due', 4]);
    world.wechat.misbehave(null);
    await world.sweepLater();
    expect((await world.row(orderNo)).delivery).toBe('reported');
  });
});
