import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { WECHAT_PATHS } from '../../local/simulators/wechat/paths.ts';
import { refundEvent } from '../../local/simulators/wechat/xpay-events.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { cancelRefund } from '../../shared/recharge/refund-cancel.ts';
import { findRefund, refundsOf } from '../../shared/recharge/refund-record.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { newKey } from '../support/recharge-fixture.ts';
import { openXpayShop, type XpayShop } from '../support/xpay-shop.ts';

const { xpayRefund, xpayQuery } = WECHAT_PATHS;
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

const refundOf = (orderNo: string, amountFen = 600, key = newKey()) => requestRefund({ orderNo, amountFen, key });
const statusOf = async (orderNo: string) => (await world.row(orderNo)).status;
const balance = () => world.shopper.balance();
type Members = Parameters<XpayShop['push']>[0];
/** The push of a refund that succeeded. `nameless`: without our number of it. */
const pushOf = (orderNo: string, refundNo: string, { nameless = false } = {}): Members => {
  const { MchRefundId, ...others } = refundEvent(world.record(orderNo), world.record(refundNo));
  return nameless ? others : { ...others, MchRefundId };
};
const notedUnits = async (orderNo: string) =>
  (await refundsOf(orderNo)).map(({ units, origin }) => `${units} ${origin}`);

describe('a refund of virtual payment', () => {
  test('is started at WeChat, and its end is found by asking', async () => {
    const orderNo = await world.paidOrder();
    const refund = await refundOf(orderNo, 200);
    expect(refund).toMatchObject({ status: 'processing', providerRefundId: world.record(refund.refundNo).wx_order_id });
    expect(await balance()).toBe(40);
    await world.sweepLater();
    expect(await findRefund(refund.refundNo)).toMatchObject({ status: 'processing' });
    world.wechat.xpay.endRefund(refund.refundNo, 'success');
    await world.sweepLater();
    expect(await findRefund(refund.refundNo)).toMatchObject({ status: 'success' });
    expect([await statusOf(orderNo), world.record(orderNo).left_fee]).toEqual(['partial_refund', 400]);
    const rest = await refundOf(orderNo, 400);
    world.wechat.xpay.endRefund(rest.refundNo, 'success');
    await world.sweepLater();
    expect([await statusOf(orderNo), await balance()]).toEqual(['refunded', 0]);
  });

  test.each([[false], [true]])(
    'is settled by its push, once, and not recorded a second time (nameless: %s)',
    async (nameless) => {
      const orderNo = await world.paidOrder();
      const { refundNo } = await refundOf(orderNo, 200);
      world.wechat.xpay.endRefund(refundNo, 'success');
      for (let i = 0; i < 3; i++) {
        expect((await world.push(pushOf(orderNo, refundNo, { nameless }))).status).toBe(200);
      }
      await world.sweepLater();
      expect((await world.push(pushOf(orderNo, refundNo, { nameless }))).status).toBe(200);
      expect(await findRefund(refundNo)).toMatchObject({ status: 'success' });
      expect(await notedUnits(orderNo)).toEqual(['20 here']);
      expect([await balance(), await statusOf(orderNo)]).toEqual([40, 'partial_refund']);
    },
  );

  test.each([[false], [true]])(
    'whose answer was lost is settled by a push that comes before the repetition (nameless: %s)',
    async (nameless) => {
      const orderNo = await world.paidOrder();
      world.wechat.misbehave(({ path }) => (path === xpayRefund ? { kind: 'lose-ack' } : null));
      const { refundNo, status } = await refundOf(orderNo, 200);
      expect(status).toBe('accepted');
      world.wechat.misbehave(null);
      world.wechat.xpay.endRefund(refundNo, 'success');
      await world.push(pushOf(orderNo, refundNo, { nameless }));
      expect(await findRefund(refundNo)).toMatchObject({ status: 'success' });
      await world.sweepLater();
      await world.push(pushOf(orderNo, refundNo, { nameless }));
      expect(await notedUnits(orderNo)).toEqual(['20 here']);
      expect(await balance()).toBe(40);
    },
  );

  test('whose answer was lost, and which was cancelled then, is settled by a push without its number', async () => {
    const orderNo = await world.paidOrder();
    world.wechat.misbehave(({ path }) => (path === xpayRefund ? { kind: 'lose-ack' } : null));
    const { refundNo } = await refundOf(orderNo, 200);
    world.wechat.misbehave(null);
    world.wechat.failNextAt(xpayQuery, -1);
    expect(await cancelRefund(refundNo, 'tester')).toMatchObject({ status: 'cancelling' });
    world.wechat.xpay.endRefund(refundNo, 'success');
    await world.push(pushOf(orderNo, refundNo, { nameless: true }));
    await world.sweepLater();
    expect(await findRefund(refundNo)).toMatchObject({ status: 'success' });
    expect([await notedUnits(orderNo), await balance()]).toEqual([['20 here'], 40]);
  });

  test('whose answer was lost is sent again under its number, and WeChat makes it once', async () => {
    const orderNo = await world.paidOrder();
    world.wechat.misbehave(({ path }) => (path === xpayRefund ? { kind: 'lose-ack' } : null));
    const { refundNo } = await refundOf(orderNo, 200);
    world.wechat.misbehave(null);
    await world.sweepLater();
    expect(await findRefund(refundNo)).toMatchObject({ status: 'processing' });
    expect(world.record(orderNo).left_fee).toBe(400);
    world.wechat.xpay.endRefund(refundNo, 'success');
    await world.sweepLater();
    expect([await statusOf(orderNo), await balance()]).toEqual(['partial_refund', 40]);
  });

  test('of all, whose answer was lost, is found although nothing is left to refund', async () => {
    const orderNo = await world.paidOrder();
    world.wechat.misbehave(({ path }) => (path === xpayRefund ? { kind: 'lose-ack' } : null));
    const { refundNo } = await refundOf(orderNo);
    world.wechat.misbehave(null);
    await world.sweepLater();
    expect(await findRefund(refundNo)).toMatchObject({ status: 'processing' });
    world.wechat.xpay.endRefund(refundNo, 'success');
    await world.sweepLater();
    expect([await statusOf(orderNo), await balance()]).toEqual(['refunded', 0]);
  });

  test('that fails at WeChat is closed, and its units return', async () => {
    const orderNo = await world.paidOrder();
    const { refundNo } = await refundOf(orderNo);
    world.wechat.xpay.endRefund(refundNo, 'failed');
    const failed = refundEvent(world.record(orderNo), world.record(refundNo), 268490002);
    expect((await world.push(failed)).status).toBe(200);
    await world.sweepLater();
    expect(await findRefund(refundNo)).toMatchObject({ status: 'closed', refusal: 'provider-closed' });
    expect([await statusOf(orderNo), await balance()]).toEqual(['paid', 60]);
  });

  test('counts as paid back when WeChat has called it refunded for a day', async () => {
    const orderNo = await world.paidOrder();
    const { refundNo } = await refundOf(orderNo);
    await world.sweepLater();
    expect(await findRefund(refundNo)).toMatchObject({ status: 'processing' });
    world.record(refundNo).update_time -= 86_401;
    await world.sweepLater();
    expect(await findRefund(refundNo)).toMatchObject({ status: 'success' });
  });

  test('is made once after a crash before any request', async () => {
    await crashBeforeEach(world.shop.stack, async (dying, n) => {
      await world.newPayer();
      const orderNo = await world.paidOrder();
      const key = newKey();
      await dying(() => refundOf(orderNo, 200, key));
      const { refundNo } = await refundOf(orderNo, 200, key);
      await world.sweepLater();
      expect([n, world.record(orderNo).left_fee, await balance()]).toEqual([n, 400, 40]);
      world.wechat.xpay.endRefund(refundNo, 'success');
      await dying(() => world.push(pushOf(orderNo, refundNo)));
      await world.push(pushOf(orderNo, refundNo));
      expect([n, await notedUnits(orderNo), await balance()]).toEqual([n, ['20 here'], 40]);
      expect(await statusOf(orderNo)).toBe('partial_refund');
    });
  });
});

describe('a refund that WeChat refuses', () => {
  test.each([
    [268490001, 'bad-values'],
    [268490002, 'bad-values'],
    [268490005, 'trade-state'],
    [268490013, 'trade-state'],
  ])('by %i is closed as %s, and its units are back', async (errcode, refusal) => {
    const orderNo = await world.paidOrder();
    world.wechat.failNextAt(xpayRefund, errcode);
    expect(await refundOf(orderNo)).toMatchObject({ status: 'closed', refusal });
    expect([await balance(), await statusOf(orderNo)]).toEqual([60, 'paid']);
  });

  test.each([-1, 268490003, 268490014, 268490015, 268490016, 48001, 77])(
    'by %i for now keeps its units and is sent again',
    async (errcode) => {
      const orderNo = await world.paidOrder();
      world.wechat.failNextAt(xpayRefund, errcode);
      const { refundNo, status } = await refundOf(orderNo);
      expect([status, await balance()]).toEqual(['accepted', 0]);
      await world.sweepLater();
      expect(await findRefund(refundNo)).toMatchObject({ status: 'processing', refusal: null });
    },
  );

  test('as a repetition is on its way', async () => {
    const orderNo = await world.paidOrder();
    world.wechat.failNextAt(xpayRefund, 268490004);
    expect(await refundOf(orderNo)).toMatchObject({ status: 'processing' });
  });

  test('because it was paid through Apple is closed without a request, with a reason', async () => {
    const orderNo = await world.paidOrder({ apple: true });
    const calls = world.wechat.calls(xpayRefund);
    expect(await refundOf(orderNo)).toMatchObject({ status: 'closed', refusal: 'at-apple' });
    expect(world.wechat.calls(xpayRefund)).toBe(calls);
    expect(await balance()).toBe(60);
  });
});

describe('a refund that was made at the console, or at Apple', () => {
  const atConsole = (orderNo: string, fee: number, number: string) => ({
    ...refundEvent(world.record(orderNo), { ...world.record(orderNo), refund_fee: fee, wx_order_id: `VPR-${number}` }),
    MchRefundId: `console-${number}`,
  });

  test('is recorded once under its own number, beside one from here of the same amount', async () => {
    const orderNo = await world.paidOrder();
    const { refundNo } = await refundOf(orderNo, 200);
    for (let i = 0; i < 2; i++) await world.push(atConsole(orderNo, 200, '1'));
    world.wechat.xpay.endRefund(refundNo, 'success');
    await world.push(pushOf(orderNo, refundNo));
    await world.push(atConsole(orderNo, 200, '1'));
    expect((await notedUnits(orderNo)).sort()).toEqual(['20 elsewhere', '20 here']);
    expect(await balance()).toBe(20);
  });

  test('and whose push was lost stops a refund from here: WeChat is asked first', async () => {
    const orderNo = await world.paidOrder();
    Object.assign(world.record(orderNo), { left_fee: 400, status: 5 });
    await expect(refundOf(orderNo, 100)).rejects.toMatchObject({
      code: 'INVALID_INPUT',
      message: expect.stringContaining('refund-book'),
    });
    world.wechat.failNextAt(xpayQuery, -1);
    await expect(refundOf(orderNo, 100)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await balance()).toBe(60);
  });

  test('cannot be asked for when the payer is not known any more: a sentence says so', async () => {
    const orderNo = await world.paidOrder();
    await world.run('UPDATE recharge_orders SET payer_openid = NULL WHERE order_no = ?', [orderNo]);
    await expect(refundOf(orderNo)).rejects.toMatchObject({ message: expect.stringContaining("WeChat's console") });
    expect(await balance()).toBe(60);
  });
});
