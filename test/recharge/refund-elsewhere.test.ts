import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { bookRefund } from '../../shared/recharge/refund-book.ts';
import { cancelRefund } from '../../shared/recharge/refund-cancel.ts';
import { findRefund, refundsOf } from '../../shared/recharge/refund-record.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { newKey } from '../support/recharge-fixture.ts';
import { openRefundShop, type RefundShop } from '../support/refund-shop.ts';

let world: RefundShop;
beforeAll(async () => {
  world = await openRefundShop();
});
beforeEach(() => world.newPayer());
afterEach(() => {
  world.mock.clearFaults();
  world.shop.stack.faults.mysql = undefined;
});

const loseNotifications = () => world.mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
const book = (orderNo: string, refundId: string, fen: string | number, ...more: string[]) => {
  const argv = ['--order', orderNo, '--refund-id', refundId, `--amount-fen=${fen}`, '--json', ...more];
  return portalHere(['recharge', 'refund-book', ...argv]);
};
const lastNotification = () => world.mock.notifications().at(-1);
const bookedLogs = async (orderNo: string): Promise<number> => {
  const { entries } = await portalJson(['operator-log', 'list', '--subject', orderNo]);
  return entries.filter((entry: { action: string }) => entry.action === 'recharge.refund-book').length;
};

describe('a refund that was made at the merchant platform', () => {
  test('is recorded once by three deliveries of its notification', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    const { refundId } = await world.mock.refundAtConsole(orderNo, 200);
    const id = lastNotification()?.id ?? '';
    for (let i = 0; i < 2; i++) await world.mock.resendNotification(id);
    expect(lastNotification()?.attempts.map(({ status }) => status)).toEqual([204, 204, 204]);
    const refunds = await refundsOf(orderNo);
    expect(refunds).toMatchObject([
      { status: 'success', origin: 'elsewhere', providerRefundId: refundId, amountFen: 200, units: 20 },
    ]);
    expect(refunds[0]?.providerAt).not.toBeNull();
    expect(await world.shopper.balance()).toBe(before - 20);
    expect(await world.status(orderNo)).toBe('partial_refund');
    const shown = await portalHere(['recharge', 'show', '--order', orderNo]);
    expect(shown.stdout).toContain(`It was made at the provider, as ${refundId}.`);
    expect(await world.findings()).toEqual([]);
  });

  test('is recorded once after a crash before each request of its notification', async () => {
    await crashBeforeEach(world.shop.stack, async (dying) => {
      const orderNo = await world.paidOrder();
      const before = await world.shopper.balance();
      world.mock.holdNotifications();
      await world.mock.refundAtConsole(orderNo, 600);
      await dying(() => world.mock.releaseNotifications('same'));
      await world.mock.resendNotification(lastNotification()?.id ?? '');
      expect(await world.status(orderNo)).toBe('refunded');
      expect(await world.shopper.balance()).toBe(before - 60);
    });
    expect(await world.findings()).toEqual([]);
  });

  test.each(['CLOSED', 'ABNORMAL'] as const)(
    'and ended as %s moves nothing, and its notification ends',
    async (end) => {
      const orderNo = await world.paidOrder();
      const before = await world.shopper.balance();
      const { outRefundNo } = await world.mock.refundAtConsole(orderNo, 200, { status: end });
      expect(lastNotification()?.attempts.map(({ status }) => status)).toEqual([204]);
      expect(await refundsOf(orderNo)).toEqual([]);
      expect(await world.shopper.balance()).toBe(before);
      if (end === 'CLOSED') return;
      await world.mock.refundResult(outRefundNo, 'SUCCESS');
      expect(await world.shopper.balance()).toBe(before - 20);
    },
  );

  test('of more than what is left is refused until there is room for it: its notification comes again', async () => {
    const orderNo = await world.paidOrder();
    world.mock.setFault({ on: 'refund', kind: 'refuse-refund', code: 'NOT_ENOUGH' });
    const own = await requestRefund({ orderNo, amountFen: 500, key: newKey() });
    await world.mock.refundAtConsole(orderNo, 600);
    const id = lastNotification()?.id ?? '';
    expect(lastNotification()?.attempts[0]?.status).toBe(409);
    await cancelRefund(own.refundNo, 'ann');
    await world.mock.resendNotification(id);
    expect(await world.status(orderNo)).toBe('refunded');
    expect(await world.findings()).toEqual([]);
  });

  test('is not paid back a second time by a command: the command names refund-book', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    loseNotifications();
    await world.mock.refundAtConsole(orderNo, 200);
    const run = await portalHere(['recharge', 'refund', '--order', orderNo]);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining(`refund-book --order ${orderNo}`) });
    expect(await refundsOf(orderNo)).toEqual([]);
    expect(await world.shopper.balance()).toBe(before);
  });

  test('stops no refund while WeChat cannot be asked: nothing is written', async () => {
    const orderNo = await world.paidOrder();
    world.mock.setFault({ on: 'query', kind: 'system-error' });
    await expect(requestRefund({ orderNo, amountFen: 1, key: 'k' })).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    expect(await refundsOf(orderNo)).toEqual([]);
  });
});

describe('recharge refund-book', () => {
  test('records a refund once, also together with its notification, and then the rest can be refunded', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    world.mock.holdNotifications();
    const { refundId } = await world.mock.refundAtConsole(orderNo, 200);
    const first = await book(orderNo, refundId, 200);
    expect(first).toMatchObject({ code: 0, json: { status: 'success', origin: 'elsewhere', units: 20 } });
    expect((await book(orderNo, refundId, 200)).json).toEqual(first.json);
    await world.mock.releaseNotifications('same');
    expect(await refundsOf(orderNo)).toHaveLength(1);
    expect(await world.shopper.balance()).toBe(before - 20);
    expect(await bookedLogs(orderNo)).toBe(1);
    expect(await portalHere(['recharge', 'refund', '--order', orderNo, '--json'])).toMatchObject({
      code: 0,
      json: { amountFen: 400, status: 'processing' },
    });
  });

  test('records once for eight commands at the same moment, with one row in the operator log', async () => {
    const orderNo = await world.paidOrder();
    loseNotifications();
    const { refundId } = await world.mock.refundAtConsole(orderNo, 600);
    const booked = { orderNo, refundId, amountFen: 600 };
    await Promise.all(Array.from({ length: 8 }, () => bookRefund(booked, { actor: 'ann' })));
    expect(await refundsOf(orderNo)).toMatchObject([{ status: 'success' }]);
    expect(await bookedLogs(orderNo)).toBe(1);
  });

  test.each(['0', '-1', '1.5', '9007199254740992', 'all', ''])('refuses the amount %j', async (fen) => {
    const orderNo = await world.paidOrder();
    expect(await book(orderNo, '5030', fen)).toMatchObject({ code: 2 });
    expect(await refundsOf(orderNo)).toEqual([]);
  });

  test('refuses an order of which WeChat has returned nothing, and one that does not exist', async () => {
    const orderNo = await world.paidOrder();
    const run = await book(orderNo, '5030', 100);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('no money of order') });
    expect(await book('R0', '5030', 100)).toMatchObject({ code: 1, stderr: expect.stringContaining('no order R0') });
    expect(await refundsOf(orderNo)).toEqual([]);
  });

  test('refuses more than is left, another amount, and an unusable number', async () => {
    const orderNo = await world.paidOrder();
    loseNotifications();
    const { refundId } = await world.mock.refundAtConsole(orderNo, 200);
    expect(await book(orderNo, refundId, 601)).toMatchObject({ code: 1, stderr: expect.stringContaining('Only 600') });
    expect(await book(orderNo, 'a b', 200)).toMatchObject({ code: 1, stderr: expect.stringContaining('1 to 64') });
    await book(orderNo, refundId, 200);
    expect(await book(orderNo, refundId, 199)).toMatchObject({ code: 1, stderr: expect.stringContaining('200 fen') });
    expect(await refundsOf(orderNo)).toHaveLength(1);
  });

  test('refuses a refund that was made here, also if WeChat has not reported its number yet', async () => {
    const orderNo = await world.paidOrder();
    const own = await requestRefund({ orderNo, amountFen: 200, key: newKey() });
    const { provider_refund_id: refundId } = await world.refundRow(own.refundNo);
    await world.shop.stack.mysql.query('UPDATE refunds SET provider_refund_id = NULL WHERE refund_no = ?', [
      own.refundNo,
    ]);
    const run = await book(orderNo, refundId, 200);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining(own.refundNo) });
    expect(await refundsOf(orderNo)).toHaveLength(1);
  });

  test('refuses while a refund from here has not ended, because it may be the same one', async () => {
    const orderNo = await world.paidOrder();
    world.mock.setFault({ on: 'refund', kind: 'drop-after' });
    const own = await requestRefund({ orderNo, amountFen: 200, key: newKey() });
    const run = await book(orderNo, '5030', 200);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining(`${own.refundNo} of this order has not`) });
  });

  test('puts the books right when WeChat paid back a refund that was cancelled here', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    world.mock.setFault({ on: 'refund', kind: 'refuse-refund', code: 'NOT_ENOUGH' });
    const { refundNo } = await requestRefund({ orderNo, amountFen: 600, key: newKey() });
    await cancelRefund(refundNo, 'ann');
    const { refundId } = await world.mock.refundAtConsole(orderNo, 600);
    expect(await findRefund(refundNo)).toMatchObject({ status: 'closed' });
    expect((await book(orderNo, refundId, 600)).json).toMatchObject({ status: 'success' });
    expect(await world.shopper.balance()).toBe(before - 60);
    expect(await world.findings()).toEqual([]);
  });

  test('cannot ask the sandbox, and says so', async () => {
    const { orderNo } = (await world.shopper.create()).body;
    await world.shop.notify({ orderNo });
    const run = await book(orderNo, '5030', 100);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('sandbox cannot be asked') });
  });
});

describe('recharge show', () => {
  test('finds an order by the transaction of the provider', async () => {
    const orderNo = await world.paidOrder();
    const { transactionId } = world.mock.orders().find(({ outTradeNo }) => outTradeNo === orderNo) ?? {};
    for (const transaction of [String(transactionId), `wechatpay:${transactionId}`]) {
      const shown = await portalJson(['recharge', 'show', '--transaction', transaction]);
      expect(shown.order.orderNo).toBe(orderNo);
    }
    const unknown = await portalHere(['recharge', 'show', '--transaction', '4200']);
    expect(unknown).toMatchObject({ code: 1, stderr: expect.stringContaining('No order was credited') });
    for (const argv of [[], ['--order', orderNo, '--transaction', 'x']]) {
      expect(await portalHere(['recharge', 'show', ...argv])).toMatchObject({ code: 2 });
    }
  });

  test('says for each refund what is next', async () => {
    const orderNo = await world.paidOrder();
    world.mock.setFault({ on: 'refund', kind: 'refuse-refund', code: 'NOT_ENOUGH' });
    const { refundNo } = await requestRefund({ orderNo, amountFen: 100, key: newKey() });
    const next = async () => (await portalJson(['recharge', 'show', '--order', orderNo])).refunds[0].next;
    expect((await next()).command).toContain(`refund-cancel --refund ${refundNo}`);
    await cancelRefund(refundNo, 'ann');
    expect((await next()).command).toContain(`refund-redo --refund ${refundNo}`);
  });
});
