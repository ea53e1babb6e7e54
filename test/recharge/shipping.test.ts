import type { RowDataPacket } from 'mysql2/promise';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WECHAT_PATHS } from '../../local/simulators/wechat/paths.ts';
import { LAST_CHECKS, nextDeliveryCheck, OVERDUE_CHECKS } from '../../shared/recharge/delivery.ts';
import type { Order } from '../../shared/recharge/order.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { shippingInfo } from '../../shared/recharge/wechatpay/shipping.ts';
import { alarmsOf } from '../support/alarms.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { addKnownProgram } from '../support/known-program.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { openRefundShop, type RefundShop } from '../support/refund-shop.ts';

const { tradeManaged, shipping } = WECHAT_PATHS;
let world: RefundShop;
let appid: string;
beforeAll(async () => {
  world = await openRefundShop();
  appid = world.mock.config.appId;
  await addKnownProgram(world.shop.stack, appid);
});
beforeEach(async () => {
  await world.newPayer();
  await setManaged(true);
});
afterEach(() => {
  world.shop.stack.wechat.misbehave(null);
  world.shop.stack.faults.mysql = undefined;
});

const wechat = () => world.shop.stack.wechat;
const run = (sql: string, values: unknown[] = []) => world.shop.stack.mysql.query(sql, values);

/** WeChat says so from now on, and is asked again. */
async function setManaged(isManaged: boolean): Promise<void> {
  wechat().setTradeManaged(isManaged, appid);
  await run("DELETE FROM ledger_marks WHERE name LIKE '%trade-managed:%'");
}

async function rowOf(orderNo: string): Promise<RowDataPacket> {
  const [rows] = await run('SELECT * FROM recharge_orders WHERE order_no = ?', [orderNo]);
  return (rows as RowDataPacket[])[0] as RowDataPacket;
}
const stateOf = async (orderNo: string) => (await rowOf(orderNo)).delivery;

/** Lets the time of the next report come, and runs the sweeper. */
async function sweep() {
  await run('UPDATE recharge_orders SET delivery_check_at = NOW(3) WHERE delivery_check_at IS NOT NULL');
  return sweepRecharge({ stopAt: Date.now() + 30_000 });
}

const uploadsOf = (orderNo: string) =>
  wechat()
    .shipments()
    .filter(({ order_key }) => (order_key as { out_trade_no: string }).out_trade_no === orderNo);

describe('an order that was paid by WeChat Pay', () => {
  test('is reported to WeChat as delivered, with the values of its page', async () => {
    const orderNo = await world.paidOrder();
    expect(await stateOf(orderNo)).toBe('due');
    expect(await sweep()).toMatchObject({ delivered: 1, failed: 0 });
    expect(await stateOf(orderNo)).toBe('reported');
    expect(uploadsOf(orderNo)).toEqual([
      {
        order_key: { order_number_type: 1, mchid: world.mock.config.mchId, out_trade_no: orderNo },
        logistics_type: 3,
        delivery_mode: 1,
        shipping_list: [{ item_desc: '60 coins' }],
        upload_time: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+08:00$/),
        payer: { openid: (await rowOf(orderNo)).payer_openid },
      },
    ]);
    const calls = wechat().calls(shipping);
    await sweep();
    expect(wechat().calls(shipping)).toBe(calls);
    expect(await world.findings()).toEqual([]);
  });

  test('is not reported before a minute has passed, and an order that is not paid never', async () => {
    const { body } = await world.shopper.create(undefined, { productId: 'coins-60', provider: 'wechatpay' });
    const orderNo = await world.paidOrder();
    const calls = wechat().calls(shipping);
    await sweepRecharge({ stopAt: Date.now() + 30_000 });
    expect(wechat().calls(shipping)).toBe(calls);
    expect([await stateOf(orderNo), await stateOf(body.orderNo)]).toEqual(['due', null]);
  });

  test('is reported if the sweeper or sync finds the payment, or repairs the mark of a credit', async () => {
    const create = async () =>
      (await world.shopper.create(undefined, { productId: 'coins-60', provider: 'wechatpay' })).body.orderNo;
    world.mock.setFault({ on: 'notification', kind: 'lose', times: 40 });
    const [swept, synced] = [await create(), await create()];
    await world.mock.pay(swept);
    await world.mock.pay(synced);
    world.mock.clearFaults();
    await world.shopper.sync(synced);
    const repaired = await world.paidOrder();
    await run(
      "UPDATE recharge_orders SET status = 'pending', delivery = NULL, delivery_check_at = NULL, next_check_at = NOW(3) WHERE order_no = ?",
      [repaired],
    );
    await run('UPDATE recharge_orders SET next_check_at = NOW(3) WHERE order_no = ?', [swept]);
    await sweepRecharge({ stopAt: Date.now() + 30_000 });
    for (const orderNo of [swept, synced, repaired]) expect(await stateOf(orderNo)).toBe('due');
    await sweep();
    for (const orderNo of [swept, synced, repaired]) expect(await stateOf(orderNo)).toBe('reported');
  });

  test('needs no report at a mini-program that is not trade-managed, and WeChat is asked once a day', async () => {
    await setManaged(false);
    const orders = [await world.paidOrder(), await world.paidOrder(), await world.paidOrder()];
    const [asked, uploaded] = [wechat().calls(tradeManaged), wechat().calls(shipping)];
    await sweep();
    for (const orderNo of orders) expect(await stateOf(orderNo)).toBeNull();
    const later = await world.paidOrder();
    await sweep();
    expect(await stateOf(later)).toBeNull();
    expect(wechat().calls(tradeManaged) - asked).toBe(1);
    wechat().setTradeManaged(true, appid);
    await run("UPDATE ledger_marks SET done_until = NOW(3) - INTERVAL 25 HOUR WHERE name LIKE 'not-trade-managed:%'");
    const managed = await world.paidOrder();
    await sweep();
    expect(await stateOf(managed)).toBe('reported');
    expect(wechat().calls(tradeManaged) - asked).toBe(2);
    expect(wechat().calls(shipping) - uploaded).toBe(1);
  });

  test('stays due while WeChat does not tell whether the mini-program is trade-managed', async () => {
    const orderNo = await world.paidOrder();
    wechat().failNextAt(tradeManaged, -1);
    expect(await sweep()).toMatchObject({ delivered: 0, failed: 1 });
    expect(await stateOf(orderNo)).toBe('due');
    expect(await sweep()).toMatchObject({ delivered: 1 });
  });

  test('of a former release is reported with the openid of its user, and without one it is refused', async () => {
    const [known, unknown] = [await world.paidOrder(), await world.paidOrder()];
    await run('UPDATE recharge_orders SET payer_openid = NULL, title = NULL WHERE order_no IN (?, ?)', [
      known,
      unknown,
    ]);
    const { user_id: userId } = await rowOf(known);
    await run(
      "INSERT INTO identities (platform, platform_app, subject, user_id) VALUES ('wechat', ?, 'o-of-identity', ?)",
      [appid, userId],
    );
    await run('UPDATE recharge_orders SET user_id = ? WHERE order_no = ?', ['no-identity', unknown]);
    const alarms = await alarmsOf(async () => void (await sweep()));
    expect(uploadsOf(known)[0]).toMatchObject({
      payer: { openid: 'o-of-identity' },
      shipping_list: [{ item_desc: 'coins-60' }],
    });
    expect(await stateOf(unknown)).toBe('refused');
    expect(alarms).toMatchObject([{ code: 'delivery-refused', orderNo: unknown, why: 'payer-unknown' }]);
    await run('UPDATE recharge_orders SET user_id = ? WHERE order_no = ?', [userId, unknown]);
  });
});

describe("WeChat's answer to a report", () => {
  test.each([10060002, 10060003, 10060004])('%i says that it is known: reported', async (errcode) => {
    const orderNo = await world.paidOrder();
    wechat().failNextAt(shipping, errcode);
    await sweep();
    expect(await stateOf(orderNo)).toBe('reported');
  });

  test.each([268485224, 10060031, 47001])('%i refuses a value for good: refused, with an alarm', async (errcode) => {
    const orderNo = await world.paidOrder();
    wechat().failNextAt(shipping, errcode);
    const alarms = await alarmsOf(async () => void (await sweep()));
    expect(alarms).toMatchObject([{ code: 'delivery-refused', orderNo, why: errcode }]);
    expect(await stateOf(orderNo)).toBe('refused');
    const calls = wechat().calls(shipping);
    await sweep();
    expect(wechat().calls(shipping)).toBe(calls);
  });

  test.each([10060001, -1, 45009, 45011, 48001, 10069999])('%i may pass: sent again later', async (errcode) => {
    const orderNo = await world.paidOrder();
    wechat().failNextAt(shipping, errcode);
    await sweep();
    expect(await rowOf(orderNo)).toMatchObject({ delivery: 'due', delivery_checks: 1 });
    await sweep();
    expect(await stateOf(orderNo)).toBe('reported');
    expect(uploadsOf(orderNo)).toHaveLength(1);
  });

  test('is lost after it was applied: the repetition is refused as known, and counts as reported', async () => {
    const orderNo = await world.paidOrder();
    wechat().misbehave(({ path }) => (path === shipping ? { kind: 'lose-ack' } : null));
    expect(await sweep()).toMatchObject({ delivered: 0, failed: 1 });
    expect(await stateOf(orderNo)).toBe('due');
    wechat().misbehave(null);
    wechat().failNextAt(shipping, 10060002);
    await sweep();
    expect(await stateOf(orderNo)).toBe('reported');
  });

  test('comes to one of two sweepers: each order is sent once', async () => {
    const orders = [await world.paidOrder(), await world.paidOrder(), await world.paidOrder()];
    await run('UPDATE recharge_orders SET delivery_check_at = NOW(3) WHERE delivery_check_at IS NOT NULL');
    const stopAt = Date.now() + 30_000;
    await Promise.all([sweepRecharge({ stopAt }), sweepRecharge({ stopAt })]);
    for (const orderNo of orders) expect([orderNo, uploadsOf(orderNo).length]).toEqual([orderNo, 1]);
  });

  test('is asked for again after a crash before any request, and the order is always reported in the end', async () => {
    await crashBeforeEach(world.shop.stack, async (dying, n) => {
      const orderNo = await world.paidOrder();
      await setManaged(true);
      await run('UPDATE recharge_orders SET delivery_check_at = NOW(3) WHERE delivery_check_at IS NOT NULL');
      await dying(() => sweepRecharge({ stopAt: Date.now() + 30_000 }));
      await sweep();
      expect([n, await stateOf(orderNo)]).toEqual([n, 'reported']);
      expect(uploadsOf(orderNo).length).toBeLessThanOrEqual(2);
    });
  });
});

describe('an order that stays due', () => {
  const setChecks = (orderNo: string, checks: number) =>
    run('UPDATE recharge_orders SET delivery_checks = ? WHERE order_no = ?', [checks, orderNo]);

  test('causes one alarm when a day has passed, and is given up after a week', async () => {
    const orderNo = await world.paidOrder();
    const events: unknown[] = [];
    for (const checks of [OVERDUE_CHECKS - 1, OVERDUE_CHECKS, OVERDUE_CHECKS + 1, LAST_CHECKS]) {
      await setChecks(orderNo, checks);
      if (checks < LAST_CHECKS) wechat().failNextAt(shipping, 10060001);
      const alarms = await alarmsOf(async () => void (await sweep()));
      events.push(alarms.map(({ code }) => code));
    }
    expect(events).toEqual([[], ['delivery-overdue'], [], ['delivery-refused']]);
    expect(await stateOf(orderNo)).toBe('refused');
  });

  test('is tried after 1 min, 2 min, ... and at most every 6 h', () => {
    expect([0, 1, 2, 8, 9, 30].map(nextDeliveryCheck)).toEqual([60, 120, 240, 15_360, 21_600, 21_600]);
    const secondsBefore = (checks: number) =>
      Array.from({ length: checks }, (_, n) => nextDeliveryCheck(n)).reduce((sum, one) => sum + one, 60);
    const hours = [OVERDUE_CHECKS - 1, OVERDUE_CHECKS, LAST_CHECKS].map((checks) => secondsBefore(checks) / 3_600);
    expect(hours[0]).toBeLessThan(24);
    expect(hours[1]).toBeGreaterThanOrEqual(24);
    expect(hours[2]).toBeGreaterThan(6.5 * 24);
  });
});

describe('an operator', () => {
  test('sees the state in words, and tries a refused report again, with one row in the log', async () => {
    const orderNo = await world.paidOrder();
    const show = async () => (await portalHere(['recharge', 'show', '--order', orderNo])).stdout;
    expect(await show()).toContain('WeChat was not told yet');
    wechat().failNextAt(shipping, 268485224);
    await sweep();
    expect(await show()).toContain(`recharge deliver --order ${orderNo}`);
    const shown = await portalJson(['recharge', 'show', '--order', orderNo]);
    expect(shown.delivery).toMatchObject({ state: 'refused', command: expect.stringContaining('recharge deliver') });
    for (let i = 0; i < 2; i++) {
      const deliver = await portalJson(['recharge', 'deliver', '--order', orderNo]);
      expect(deliver).toEqual({ orderNo, delivery: 'due' });
    }
    const [log] = await run("SELECT 1 FROM audit_log WHERE action = 'recharge.deliver' AND subject = ?", [orderNo]);
    expect(log).toHaveLength(1);
    await sweep();
    expect(await show()).toContain('WeChat knows that the units were delivered.');
  });

  test('is told that an unpaid order has nothing to report', async () => {
    const body = { productId: 'coins-60', provider: 'wechatpay' };
    const { orderNo } = (await world.shopper.create(undefined, body)).body;
    const answer = await portalHere(['recharge', 'deliver', '--order', orderNo]);
    expect(answer.code).not.toBe(0);
    expect(answer.stderr).toContain('nothing to report to WeChat');
  });
});

test('a description has at most 120 letters of any script, and no letter is cut', () => {
  const order = { orderNo: 'R1', merchantId: 'm', productId: 'p', title: '😀'.repeat(121) } as Order;
  const [parcel] = shippingInfo(order, 'o', Date.parse('2026-01-01T20:00:00.5Z')).shipping_list;
  expect(parcel?.item_desc).toBe('😀'.repeat(120));
  expect(shippingInfo(order, 'o', Date.parse('2026-01-01T20:00:00.5Z')).upload_time).toBe(
    '2026-01-02T04:00:00.500+08:00',
  );
});
