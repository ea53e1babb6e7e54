import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BillLine } from '../../shared/recharge/provider.ts';
import { billingDay, reconcile, reconcileSandbox } from '../../shared/recharge/reconcile.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { rechargeTimeline } from '../../shared/recharge/timeline.ts';
import { parseTradeBill } from '../../shared/recharge/wechatpay/bill.ts';
import { openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

let shop: Shop;
let shopper: Shopper;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(async () => {
  for (const table of ['ledger_entries', 'recharge_orders', 'refunds', 'sandbox_payments']) {
    await shop.stack.mysql.query(`DELETE FROM ${table}`);
  }
  shopper = await shop.shopper();
});

const aroundNow = () => ({
  from: new Date(Date.now() - 3_600_000).toISOString(),
  to: new Date(Date.now() + 3_600_000).toISOString(),
});
async function payOrder(): Promise<string> {
  const { orderNo } = (await shopper.create()).body;
  await payAtSandbox(orderNo, { notification: true });
  return orderNo;
}

describe('reconciling a bill with the ledger', () => {
  test('finds nothing when they agree', async () => {
    await payOrder();
    await payOrder();
    expect(await reconcileSandbox(aroundNow())).toMatchObject({
      payments: 2,
      billedFen: 1_200,
      creditedFen: 1_200,
      differences: [],
    });
  });

  test('finds a payment that is not credited, until sync credits it', async () => {
    const { orderNo } = (await shopper.create()).body;
    await payAtSandbox(orderNo, { notification: false });
    const { differences } = await reconcileSandbox(aroundNow());
    expect(differences).toMatchObject([{ what: 'paid, not credited', orderNo, billFen: 600, ledgerFen: null }]);
    await shopper.sync(orderNo);
    expect((await reconcileSandbox(aroundNow())).differences).toEqual([]);
  });

  test('finds unknown, different and missing payments and refunds', async () => {
    const [first, second, third] = [await payOrder(), await payOrder(), await payOrder()];
    const small = await requestRefund({ orderNo: first, amountFen: 100, key: 'a' });
    const other = await requestRefund({ orderNo: first, amountFen: 50, key: 'b' });
    const bill: BillLine[] = [
      { kind: 'payment', orderNo: first, transactionId: `sandbox-${first}`, amountFen: 600 },
      { kind: 'payment', orderNo: second, transactionId: `sandbox-${second}`, amountFen: 601 },
      { kind: 'payment', orderNo: 'R234', transactionId: 'stranger', amountFen: 5 },
      { kind: 'refund', orderNo: first, refundNo: small.refundNo, amountFen: 90 },
      { kind: 'refund', orderNo: first, refundNo: 'by-hand', amountFen: 1 },
    ];
    const { differences } = await reconcile('sandbox', aroundNow(), bill);
    expect(differences.map(({ what, orderNo, reference }) => [what, orderNo, reference])).toEqual([
      ['paid another amount', second, `sandbox-${second}`],
      ['paid, no such order', 'R234', 'stranger'],
      ['refunded another amount', first, small.refundNo],
      ['refunded, unknown here', first, 'by-hand'],
      ['credited, not in the bill', third, `sandbox-${third}`],
      ['refunded here, not in the bill', first, other.refundNo],
    ]);
  });

  test('finds a refund of the bill that is closed here, and one that belongs to another order', async () => {
    const [first, second] = [await payOrder(), await payOrder()];
    const closed = await requestRefund({ orderNo: first, amountFen: 100, key: 'a' });
    const other = await requestRefund({ orderNo: second, amountFen: 100, key: 'a' });
    await shop.stack.mysql.query("UPDATE refunds SET status = 'closed' WHERE refund_no = ?", [closed.refundNo]);
    const bill: BillLine[] = [closed, other].map(({ refundNo, amountFen }) => ({
      kind: 'refund',
      orderNo: first,
      refundNo,
      amountFen,
    }));
    const { differences } = await reconcile('sandbox', aroundNow(), bill);
    expect(differences.map(({ what, reference }) => [what, reference])).toEqual(
      expect.arrayContaining([
        ['refunded, closed here', closed.refundNo],
        ["refunded, another order's", other.refundNo],
      ]),
    );
  });

  test('a billing day is a day in the time of China', () => {
    expect(billingDay('2026-11-24')).toEqual({ from: '2026-11-23T16:00:00.000Z', to: '2026-11-24T16:00:00.000Z' });
  });
});

describe("WeChat Pay's trade bill", () => {
  const head =
    '\uFEFF交易时间,公众账号ID,微信订单号,商户订单号,交易状态,货币种类,应结订单金额,商户退款单号,申请退款金额,订单金额,费率备注';
  const line = (...values: string[]): string => values.map((value) => `\`${value}`).join(',');

  test('is read by the names of its columns, with exact amounts in fen', () => {
    const text = [
      head,
      line('2026-11-24 10:00:00', 'wx1', '4200001', 'R1', 'SUCCESS', 'CNY', '0.29', '0', '0.00', '0.29', ''),
      line('2026-11-24 11:00:00', 'wx1', '4200001', 'R1', 'REFUND', 'CNY', '0.00', 'F1', '1234.5', '0.00', ''),
      line('2026-11-24 11:00:00', 'wx1', '4200002', 'R2', 'REVOKED', 'CNY', '0.00', '0', '0.00', '0.00', ''),
      '总交易单数,应结订单总金额',
      line('3', '0.29'),
    ].join('\r\n');
    expect(parseTradeBill(text)).toEqual([
      { kind: 'payment', orderNo: 'R1', transactionId: '4200001', amountFen: 29 },
      { kind: 'refund', orderNo: 'R1', refundNo: 'F1', amountFen: 123_450 },
    ]);
  });

  test('leaves out failed refunds', () => {
    const refund = (number: string, state: string): string =>
      line('t', 'wx1', '4200001', 'R1', 'REFUND', 'CNY', '0.00', number, '1.00', '0.00', '', state);
    const text = [`${head},退款状态`, refund('F1', 'FAIL'), refund('F2', 'SUCCESS')].join('\n');
    expect(parseTradeBill(text)).toEqual([{ kind: 'refund', orderNo: 'R1', refundNo: 'F2', amountFen: 100 }]);
  });

  test.each([
    ['交易时间,商户订单号', 'line 1'],
    [`${head}\n${line('t', 'wx1', '4', 'R1', 'SUCCESS', 'CNY', '0', '0', '0', '1.234', '')}`, 'line 2'],
    [`${head}\n${line('t', 'wx1', '4', 'R1', 'WHAT', 'CNY', '0', '0', '0', '1.23', '')}`, 'line 2'],
  ])('that is malformed is refused with the number of the line', (text, path) => {
    expect(() => parseTradeBill(text)).toThrow(
      expect.objectContaining({ refusal: { errors: [expect.objectContaining({ path })] } }),
    );
  });
});

test('the timeline of an order lists its events, and reports whether order and ledger agree', async () => {
  const orderNo = await payOrder();
  const { refundNo } = await requestRefund({ orderNo, amountFen: 100, key: 'a', reason: 'sorry' });
  const { order, events, agrees } = await rechargeTimeline(orderNo);
  expect(order).toMatchObject({ orderNo, status: 'partial_refund', userId: shopper.userId, provider: 'sandbox' });
  expect(events.map(({ what }) => what).sort()).toEqual(['created', 'credited', 'paid', 'refund asked', 'units taken']);
  expect(events.find(({ what }) => what === 'units taken')?.detail).toMatchObject({ ref: refundNo, delta: -10 });
  expect(agrees).toBe(true);
  await shop.stack.mysql.query("UPDATE recharge_orders SET status = 'pending'");
  expect((await rechargeTimeline(orderNo)).agrees).toBe(false);
});
