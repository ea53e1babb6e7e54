import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { removeMerchant, setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { bookRefund } from '../../shared/recharge/refund-book.ts';
import { cancelRefund } from '../../shared/recharge/refund-cancel.ts';
import { findRefund, refundsOf } from '../../shared/recharge/refund-record.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { alarmsOf } from '../support/alarms.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { newKey } from '../support/recharge-fixture.ts';
import { openRefundShop, type RefundShop } from '../support/refund-shop.ts';
import { openXpayShop, type XpayShop } from '../support/xpay-shop.ts';

const unpaid = (refundNo: string) =>
  portalHere(['recharge', 'refund-cancel', '--refund', refundNo, '--unpaid', '--json']);
const nextOf = async (orderNo: string) =>
  (await portalJson(['recharge', 'show', '--order', orderNo])).refunds.at(-1).next;

describe('a refund whose merchant was removed', () => {
  let world: RefundShop;
  beforeAll(async () => {
    world = await openRefundShop();
  });
  beforeEach(() => world.newPayer());
  afterEach(async () => {
    world.mock.clearFaults();
    await setMerchant('wechatpay', world.mock.config, { actor: 'tester' });
    expect(await world.findings()).toEqual([]);
  });
  const remove = () => removeMerchant('wechatpay', undefined, { actor: 'ann', force: true });
  async function waiting(orderNo: string): Promise<string> {
    world.mock.setFault({ on: 'refund', kind: 'refuse-refund', code: 'NOT_ENOUGH' });
    return (await requestRefund({ orderNo, amountFen: 600, key: newKey() })).refundNo;
  }

  test('is closed on the word of an operator, whom the next step told how', async () => {
    const orderNo = await world.paidOrder();
    const refundNo = await waiting(orderNo);
    await remove();
    expect(await cancelRefund(refundNo, 'ann')).toMatchObject({ status: 'cancelling' });
    await world.sweepLater();
    expect(await findRefund(refundNo)).toMatchObject({ status: 'cancelling' });
    expect(await nextOf(orderNo)).toMatchObject({
      sentence: expect.stringContaining('Its merchant is not set here any more'),
      command: expect.stringContaining(`refund-cancel --refund ${refundNo} --unpaid`),
    });
    for (let i = 0; i < 2; i++)
      expect(await unpaid(refundNo)).toMatchObject({ code: 0, json: { status: 'closed', refusal: 'cancelled' } });
    expect(await world.entriesOf(refundNo)).toEqual(['refund', 'refund_reversal']);
    const { entries } = await portalJson(['operator-log', 'list', '--subject', orderNo]);
    expect(entries.filter((of: { detail: { unpaid?: boolean } }) => of.detail.unpaid)).toHaveLength(1);
  });

  test('is settled by the number that the operator found at the merchant platform', async () => {
    const orderNo = await world.paidOrder();
    const { refundNo } = await requestRefund({ orderNo, amountFen: 200, key: newKey() });
    await remove();
    const booked = { orderNo, refundId: '50300000000000000000000000009', amountFen: 200 };
    await expect(bookRefund({ ...booked, amountFen: 100 }, { actor: 'ann' })).rejects.toMatchObject({
      message: expect.stringContaining(refundNo),
    });
    await world.shop.stack.mysql.query('UPDATE refunds SET provider_refund_id = ? WHERE refund_no = ?', [
      booked.refundId,
      refundNo,
    ]);
    expect(await bookRefund(booked, { actor: 'ann' })).toMatchObject({ refundNo, status: 'success' });
    await expect(bookRefund(booked, { actor: 'ann' })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect(await refundsOf(orderNo)).toHaveLength(1);
    expect(await world.shopper.balance()).toBe(40);
  });

  test('may have been made elsewhere: no more is booked than is left', async () => {
    const orderNo = await world.paidOrder();
    await remove();
    await expect(bookRefund({ orderNo, refundId: '5030', amountFen: 601 }, { actor: 'ann' })).rejects.toMatchObject({
      message: expect.stringContaining('Only 600 fen'),
    });
    expect(await bookRefund({ orderNo, refundId: '5030', amountFen: 600 }, { actor: 'ann' })).toMatchObject({
      status: 'success',
      origin: 'elsewhere',
    });
  });

  test('is not closed on a word while its provider can be asked, or a request may be on its way', async () => {
    const orderNo = await world.paidOrder();
    world.mock.setFault({ on: 'refund', kind: 'drop-before' });
    const { refundNo } = await requestRefund({ orderNo, amountFen: 600, key: newKey() });
    expect(await unpaid(refundNo)).toMatchObject({ code: 1, stderr: expect.stringContaining('leave --unpaid out') });
    await remove();
    expect(await unpaid(refundNo)).toMatchObject({ code: 1, stderr: expect.stringContaining('on its way') });
    expect(await findRefund(refundNo)).toMatchObject({ status: 'accepted' });
  });

  test('names the reason in the alarm of a refund that does not end', async () => {
    const orderNo = await world.paidOrder();
    const refundNo = await waiting(orderNo);
    await remove();
    await world.shop.stack.mysql.query('UPDATE refunds SET checks = 11 WHERE refund_no = ?', [refundNo]);
    const alarms = await alarmsOf(() => world.sweepLater());
    expect(alarms).toContainEqual(expect.objectContaining({ code: 'refund-stuck', refundNo, why: 'merchant-removed' }));
  });

  test('leaves no order pending: three days after its end it is closed, and a payment is credited later', async () => {
    const body = { productId: 'coins-60', provider: 'wechatpay' };
    const { orderNo } = (await world.shopper.create(newKey(), body)).body;
    world.mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
    await world.mock.pay(orderNo);
    await remove();
    const { mysql } = world.shop.stack;
    await mysql.query(
      'UPDATE recharge_orders SET expires_at = NOW(3) - INTERVAL 4 DAY, next_check_at = NOW(3) WHERE order_no = ?',
      [orderNo],
    );
    const alarms = await alarmsOf(() => sweepRecharge({ stopAt: Date.now() + 20_000 }));
    expect(alarms).toContainEqual(expect.objectContaining({ code: 'order-without-merchant', orderNo }));
    expect(await world.status(orderNo)).toBe('closed');
    await setMerchant('wechatpay', world.mock.config, { actor: 'tester' });
    await world.shopper.sync(orderNo);
    expect(await world.status(orderNo)).toBe('paid');
  });
});

describe('a refund of virtual payment whose payer nobody knows any more', () => {
  let world: XpayShop;
  beforeAll(async () => {
    world = await openXpayShop();
  });
  beforeEach(() => world.newPayer());
  afterEach(async () => expect(await world.findings()).toEqual([]));
  async function forget(orderNo: string): Promise<void> {
    await world.run('UPDATE recharge_orders SET payer_openid = NULL WHERE order_no = ?', [orderNo]);
    await world.run('DELETE FROM identities WHERE user_id = ?', [world.shopper.userId]);
  }

  test('is refused at the start, also beside an earlier one', async () => {
    const orderNo = await world.paidOrder();
    const first = await requestRefund({ orderNo, amountFen: 200, key: newKey() });
    world.wechat.xpay.endRefund(first.refundNo, 'success');
    await world.sweepLater();
    await forget(orderNo);
    await expect(requestRefund({ orderNo, amountFen: 400, key: newKey() })).rejects.toMatchObject({
      message: expect.stringContaining(`refund-book --order ${orderNo}`),
    });
    expect(await refundsOf(orderNo)).toHaveLength(1);
    expect(await world.shopper.balance()).toBe(40);
  });

  test.each([['success'], ['closed']])('and that is on its way ends as %s by what a person finds', async (end) => {
    const orderNo = await world.paidOrder();
    const { refundNo, providerRefundId } = await requestRefund({ orderNo, amountFen: 200, key: newKey() });
    await forget(orderNo);
    for (let i = 0; i < 3; i++) await world.sweepLater();
    const { sentence } = await nextOf(orderNo);
    expect(sentence).toContain('Nobody knows its payer');
    expect(sentence).toContain(`--refund-id ${providerRefundId} --amount-fen 200`);
    if (end === 'closed') expect(await unpaid(refundNo)).toMatchObject({ code: 0 });
    else await bookRefund({ orderNo, refundId: String(providerRefundId), amountFen: 200 }, { actor: 'ann' });
    expect(await findRefund(refundNo)).toMatchObject({ status: end });
    expect(await world.shopper.balance()).toBe(end === 'closed' ? 60 : 40);
  });
});
