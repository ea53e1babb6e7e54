import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chinaDayOf } from '../../shared/recharge/books/china-day.ts';
import { compareBill } from '../../shared/recharge/books/compare.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { cancelRefund, redoRefund } from '../../shared/recharge/refund-cancel.ts';
import { findRefund, refundsOf } from '../../shared/recharge/refund-record.ts';
import { recordRefund } from '../../shared/recharge/refund-steps.ts';
import { alarmsOf } from '../support/alarms.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { portalHere } from '../support/portal-command.ts';
import { newKey } from '../support/recharge-fixture.ts';
import { openRefundShop, type RefundShop } from '../support/refund-shop.ts';

let world: RefundShop;
beforeAll(async () => {
  world = await openRefundShop();
});
beforeEach(() => world.newPayer());
afterEach(async () => {
  world.mock.clearFaults();
  world.shop.stack.faults.mysql = undefined;
  expect(await world.findings()).toEqual([]);
});

const balance = () => world.shopper.balance();
const row = async (orderNo: string) => {
  const [rows] = await world.shop.stack.mysql.query('SELECT * FROM recharge_orders WHERE order_no = ?', [orderNo]);
  return (rows as Array<Record<string, unknown>>)[0];
};
const waits = () => world.mock.setFault({ on: 'refund', kind: 'refuse-refund', code: 'NOT_ENOUGH' });

/** A refund of 600 fen at WeChat whose row is closed here, as if WeChat had said that it does not know it. */
async function closedHere(orderNo: string): Promise<string> {
  const { refundNo } = await requestRefund({ orderNo, amountFen: 600, key: newKey() });
  const refund = await findRefund(refundNo);
  if (!refund) throw new Error('no refund');
  await recordRefund(refund, { state: 'closed', refundId: null, acceptedAt: null });
  expect(await findRefund(refundNo)).toMatchObject({ status: 'closed' });
  return refundNo;
}

describe('a refund that is closed here, and that WeChat reports as paid back', () => {
  test('is booked once as another refund by its notifications, and is not offered again', async () => {
    const orderNo = await world.paidOrder();
    const refundNo = await closedHere(orderNo);
    expect(await balance()).toBe(60);
    const alarms = await alarmsOf(() => world.mock.refundResult(refundNo, 'SUCCESS'));
    await world.mock.resendNotification(world.mock.notifications().at(-1)?.id ?? '');
    const [closed, other] = (await refundsOf(orderNo)).sort((a, b) => (a.status < b.status ? -1 : 1));
    expect(closed).toMatchObject({ refundNo, status: 'closed', refusal: 'paid-later' });
    expect(other).toMatchObject({ status: 'success', origin: 'elsewhere', amountFen: 600, units: 60 });
    expect(alarms).toMatchObject([{ code: 'refund-after-close', refundNo, booked: other?.refundNo }]);
    expect(await refundsOf(orderNo)).toHaveLength(2);
    expect(await row(orderNo)).toMatchObject({ status: 'refunded', refunded_fen: 600 });
    expect(await balance()).toBe(0);
    const shown = await portalHere(['recharge', 'show', '--order', orderNo]);
    expect(shown.stdout).toContain('is in the books as another refund');
    expect(shown.stdout).not.toContain('refund-redo');
    const redo = await portalHere(['recharge', 'refund-redo', '--refund', refundNo]);
    expect(redo).toMatchObject({ code: 1, stderr: expect.stringContaining('cannot be made again') });
  });

  test('is found by the question before a redo if its notification was lost: nothing is paid twice', async () => {
    const orderNo = await world.paidOrder();
    const refundNo = await closedHere(orderNo);
    await expect(redoRefund(refundNo, 'ann')).rejects.toMatchObject({ message: expect.stringContaining('on its way') });
    world.mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
    await world.mock.refundResult(refundNo, 'SUCCESS');
    const sent = world.calls('POST', '/refunds');
    await expect(requestRefund({ orderNo, amountFen: 100, key: newKey() })).rejects.toMatchObject({
      message: expect.stringContaining('in the books now'),
    });
    await expect(redoRefund(refundNo, 'ann')).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(world.calls('POST', '/refunds')).toBe(sent);
    expect([await balance(), await row(orderNo)]).toMatchObject([0, { status: 'refunded', refunded_fen: 600 }]);
  });

  test('is booked once after a crash before each request', async () => {
    await crashBeforeEach(world.shop.stack, async (dying) => {
      await world.newPayer();
      const orderNo = await world.paidOrder();
      const refundNo = await closedHere(orderNo);
      world.mock.holdNotifications();
      await world.mock.refundResult(refundNo, 'SUCCESS');
      await dying(() => world.mock.releaseNotifications('same'));
      await world.mock.resendNotification(world.mock.notifications().at(-1)?.id ?? '');
      expect(await refundsOf(orderNo)).toHaveLength(2);
      expect([await balance(), await row(orderNo)]).toMatchObject([0, { status: 'refunded', refunded_fen: 600 }]);
    });
  });

  test('stops the refund that was made in its place and that WeChat has not taken yet', async () => {
    const orderNo = await world.paidOrder();
    const refundNo = await closedHere(orderNo);
    waits();
    const again = await requestRefundBeside(orderNo);
    await world.mock.refundResult(refundNo, 'SUCCESS');
    expect(await findRefund(again)).toMatchObject({ status: 'cancelling', refusal: 'paid-already' });
    expect(await findRefund(refundNo)).toMatchObject({ refusal: 'paid-twice' });
    await world.sweepLater();
    await world.sweepLater();
    expect(await findRefund(again)).toMatchObject({ status: 'closed', refusal: 'paid-already' });
    expect(await findRefund(refundNo)).toMatchObject({ status: 'closed', refusal: 'paid-later' });
    expect([await balance(), await row(orderNo)]).toMatchObject([0, { status: 'refunded', refunded_fen: 600 }]);
  });

  test('after its redo was paid back as well is recorded, shown and alarmed: the money was paid twice', async () => {
    const orderNo = await world.paidOrder();
    waits();
    const { refundNo } = await requestRefund({ orderNo, amountFen: 600, key: newKey() });
    await cancelRefund(refundNo, 'ann');
    const again = await redoRefund(refundNo, 'ann');
    await world.mock.refundResult(again.refundNo, 'SUCCESS');
    const closed = await findRefund(refundNo);
    if (!closed) throw new Error('no refund');
    const report = { state: 'success', refundId: '5030', acceptedAt: new Date().toISOString() } as const;
    const alarms = await alarmsOf(async () => {
      for (let i = 0; i < 2; i++) await recordRefund(closed, report);
    });
    expect(alarms).toMatchObject([{ code: 'refund-after-close', refundNo, booked: null }]);
    expect(await findRefund(refundNo)).toMatchObject({ status: 'closed', refusal: 'paid-twice' });
    expect([await balance(), await row(orderNo)]).toMatchObject([0, { status: 'refunded', refunded_fen: 600 }]);
    const shown = await portalHere(['recharge', 'show', '--order', orderNo]);
    expect(shown.stdout).toContain('The payer got more than was paid');
    expect(shown.stdout).not.toContain('refund-redo');
  });

  test('agrees with the bill when it is booked, and differs from it when it was paid twice', async () => {
    const orderNo = await world.paidOrder();
    const refundNo = await closedHere(orderNo);
    await world.mock.refundResult(refundNo, 'SUCCESS');
    const { provider_refund_id: refundId } = await world.refundRow(refundNo);
    const [day, { appId, mchId }] = [chinaDayOf(Date.now()), world.mock.config];
    const subject = { provider: 'wechatpay', day, merchantId: mchId, appIds: new Set([appId]), refunds: true };
    const line = {
      kind: 'refund',
      line: 1,
      appId,
      orderNo,
      transactionId: 't',
      refundNo,
      refundId,
      amountFen: 600,
      isPaid: true,
    };
    const compare = async () => {
      const found = await compareBill({ ...subject, isBilled: () => false }, { lines: [line as never] });
      return found.differences.filter((of) => of.orderNo === orderNo).map(({ what }) => what);
    };
    expect(await compare()).toEqual([]);
    await world.shop.stack.mysql.query(
      "UPDATE refunds SET provider_refund_id = 'other' WHERE order_no = ? AND origin = 'elsewhere'",
      [orderNo],
    );
    expect(await compare()).toContain('refunded, closed here');
  });
});

/** A redo at a time when WeChat cannot say that it has the first refund. */
async function requestRefundBeside(orderNo: string): Promise<string> {
  const { mysql } = world.shop.stack;
  const hide = "UPDATE refunds SET origin = 'elsewhere' WHERE order_no = ?";
  await mysql.query(hide, [orderNo]);
  const { refundNo } = await requestRefund({ orderNo, amountFen: 600, key: newKey() });
  await mysql.query("UPDATE refunds SET origin = 'here' WHERE order_no = ?", [orderNo]);
  return refundNo;
}
