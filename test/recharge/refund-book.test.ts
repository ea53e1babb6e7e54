import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { bookRefund } from '../../shared/recharge/refund-book.ts';
import { refundsOf } from '../../shared/recharge/refund-record.ts';
import { openRefundShop, type RefundShop } from '../support/refund-shop.ts';
import { openXpayShop, type XpayShop } from '../support/xpay-shop.ts';

const book = (orderNo: string, refundId: string, amountFen: number) =>
  bookRefund({ orderNo, refundId, amountFen }, { actor: 'ann' });
const refusal = (sentence: string) => ({ code: 'INVALID_INPUT', message: expect.stringContaining(sentence) });

describe('a refund of WeChat Pay that an operator books', () => {
  let world: RefundShop;
  beforeAll(async () => {
    world = await openRefundShop();
  });
  beforeEach(() => world.newPayer());
  afterEach(() => world.mock.clearFaults());
  const quietly = (orderNo: string, fen: number, status?: 'ABNORMAL') =>
    world.mock.refundAtConsole(orderNo, fen, { notify: false, ...(status && { status }) });
  const amounts = async (orderNo: string) => (await refundsOf(orderNo)).map(({ amountFen }) => amountFen);

  test('is looked up by its merchant number: WeChat tells amount, number and time', async () => {
    const orderNo = await world.paidOrder();
    const { refundId, outRefundNo } = await quietly(orderNo, 200);
    await expect(book(orderNo, outRefundNo, 300)).rejects.toMatchObject(refusal('is 200 fen'));
    expect(await book(orderNo, ` ${outRefundNo}\ufeff`, 200)).toMatchObject({
      status: 'success',
      providerRefundId: refundId,
    });
    for (const number of [outRefundNo, refundId, `\t${refundId} `]) await book(orderNo, number, 200);
    const [refund, ...others] = await refundsOf(orderNo);
    expect([refund?.providerAt === null, others]).toEqual([false, []]);
    expect(await world.shopper.balance()).toBe(40);
    expect(await world.findings()).toEqual([]);
  });

  test('is not booked a second time by a number that WeChat does not know', async () => {
    const orderNo = await world.paidOrder();
    const { refundId } = await quietly(orderNo, 200);
    await book(orderNo, refundId, 200);
    for (const number of [`${refundId}x`, '50300000000000000000000000001', refundId.slice(1)])
      await expect(book(orderNo, number, 200)).rejects.toMatchObject(refusal("merchant's number"));
    expect(await amounts(orderNo)).toEqual([200]);
  });

  test('of which the first is in the books is booked by its merchant number', async () => {
    const orderNo = await world.paidOrder();
    await world.mock.refundAtConsole(orderNo, 200);
    const { outRefundNo } = await quietly(orderNo, 100);
    await book(orderNo, outRefundNo, 100);
    expect((await amounts(orderNo)).sort()).toEqual([100, 200]);
    expect(await world.shopper.balance()).toBe(30);
  });

  test('is refused if it is of another order, or was not paid back', async () => {
    const [orderNo, other] = [await world.paidOrder(), await world.paidOrder()];
    const { outRefundNo } = await quietly(other, 200);
    await expect(book(orderNo, outRefundNo, 200)).rejects.toMatchObject(refusal(`of order ${other}`));
    const stuck = await quietly(orderNo, 100, 'ABNORMAL');
    await expect(book(orderNo, stuck.outRefundNo, 100)).rejects.toMatchObject(refusal('abnormal'));
    expect(await amounts(orderNo)).toEqual([]);
  });

  test('takes no units if it is of a second payment of the order, which was not credited', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    // The books know the first payment. At the mock, the order has one payment: it stands for the second one.
    const { mysql } = world.shop.stack;
    await mysql.query("UPDATE recharge_orders SET transaction_id = 'first' WHERE order_no = ?", [orderNo]);
    const { outRefundNo, refundId } = await world.mock.refundAtConsole(orderNo, 600);
    expect(
      world.mock
        .notifications()
        .at(-1)
        ?.attempts.map(({ status }) => status),
    ).toEqual([204]);
    for (const number of [outRefundNo, refundId])
      await expect(book(orderNo, number, 600)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
    expect([await amounts(orderNo), await world.shopper.balance()]).toEqual([[], before]);
  });
});

describe('a refund of virtual payment that an operator books', () => {
  let world: XpayShop;
  beforeAll(async () => {
    world = await openXpayShop();
  });
  beforeEach(() => world.newPayer());

  test('is never more than WeChat returned and the books do not explain', async () => {
    const orderNo = await world.paidOrder();
    Object.assign(world.record(orderNo), { left_fee: 400, status: 5 });
    await expect(book(orderNo, 'VPR1', 300)).rejects.toMatchObject(refusal('returned 200 fen'));
    await book(orderNo, 'VPR1', 200);
    for (const number of ['VPR1x', 'vpr1'])
      await expect(book(orderNo, number, 200)).rejects.toMatchObject(refusal('do not explain 0'));
    expect((await refundsOf(orderNo)).map(({ amountFen }) => amountFen)).toEqual([200]);
    expect([await world.shopper.balance(), await world.findings()]).toEqual([40, []]);
  });
});
