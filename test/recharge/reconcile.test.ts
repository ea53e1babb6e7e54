import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { BillLine } from '../../shared/recharge/books/bill.ts';
import { chinaDay, chinaDayOf, dayAfter } from '../../shared/recharge/books/china-day.ts';
import { compareBill } from '../../shared/recharge/books/compare.ts';
import type { Finding } from '../../shared/recharge/books/finding.ts';
import { reconcileDay } from '../../shared/recharge/books/reconcile.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { rechargeTimeline } from '../../shared/recharge/timeline.ts';
import { openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

let shop: Shop;
let shopper: Shopper;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(async () => {
  for (const table of [
    'ledger_entries',
    'recharge_orders',
    'refunds',
    'sandbox_payments',
    'reconciliations',
    'audit_log',
  ]) {
    await shop.stack.mysql.query(`DELETE FROM ${table}`);
  }
  shopper = await shop.shopper();
});

async function payOrder(): Promise<string> {
  const { orderNo } = (await shopper.create()).body;
  await payAtSandbox(orderNo, { notification: true });
  return orderNo;
}

const today = () => chinaDayOf(Date.now());
/** Compares the sandbox's bill of today, as an operator does. */
const reconcile = () =>
  reconcileDay({ provider: 'sandbox', day: today(), merchantId: undefined, file: undefined, actor: 'tester' });

/** Compares a bill that is handed in. Orders of the sandbox stand for those of a merchant. */
const compare = (lines: BillLine[], day = today(), others: Record<string, BillLine[]> = {}) =>
  compareBill(
    { provider: 'sandbox', day, merchantId: '', appIds: new Set(['']), refunds: true, isBilled: () => true },
    { lines },
    { billOf: async (of) => others[of] && { lines: others[of] } },
  );
const payment = (orderNo: string, amountFen = 600, transactionId = `sandbox-${orderNo}`): BillLine => ({
  ...{ kind: 'payment', line: 2, appId: '', orderNo, transactionId, amountFen },
});
const refund = (orderNo: string, refundNo: string, amountFen: number, refundId = ''): BillLine => ({
  ...{
    kind: 'refund',
    line: 3,
    appId: '',
    orderNo,
    transactionId: `sandbox-${orderNo}`,
    refundNo,
    refundId,
    isPaid: true,
    amountFen,
  },
});
const whatOf = (findings: readonly Finding[]) =>
  findings.map(({ what, orderNo, reference }) => [what, orderNo, reference]);
const noon = () => new Date(Date.parse(chinaDay(today()).from) + 12 * 3_600_000);
/** Payments and refunds that are made just before or after midnight would be explained by that. */
const moveToNoon = async () => {
  await shop.stack.mysql.query('UPDATE recharge_orders SET paid_at = ? WHERE paid_at IS NOT NULL', [noon()]);
  await shop.stack.mysql.query('UPDATE refunds SET created_at = ?, provider_at = NULL', [noon()]);
};

describe('comparing a bill with the books', () => {
  test('finds nothing when they agree, and stores that', async () => {
    await payOrder();
    await payOrder();
    const found = await reconcile();
    expect(found).toMatchObject({ payments: 2, billedFen: 1_200, creditedFen: 1_200, differences: [], isEmpty: false });
    const [rows] = await shop.stack.mysql.query(
      'SELECT provider, payments, billed_fen, differences, compared_by FROM reconciliations',
    );
    expect(rows).toEqual([
      { provider: 'sandbox', payments: 2, billed_fen: 1_200, differences: '[]', compared_by: 'tester' },
    ]);
    const [logged] = await shop.stack.mysql.query("SELECT subject FROM audit_log WHERE action = 'recharge.reconcile'");
    expect(logged).toEqual([{ subject: `sandbox/${today()}` }]);
  });

  test('says that nothing was compared when neither side has anything', async () => {
    expect(await reconcile()).toMatchObject({ isEmpty: true, differences: [] });
  });

  test('finds a payment that is not credited, until sync credits it', async () => {
    const { orderNo } = (await shopper.create()).body;
    await payAtSandbox(orderNo, { notification: false });
    const { differences } = await reconcile();
    expect(differences).toMatchObject([{ what: 'paid, not credited', orderNo, billFen: 600, ledgerFen: null }]);
    expect(differences[0]?.sentence).toContain(`recharge sync --order ${orderNo}`);
    await shopper.sync(orderNo);
    expect((await reconcile()).differences).toEqual([]);
  });

  test('finds unknown, different and missing payments and refunds', async () => {
    const [first, second, third] = [await payOrder(), await payOrder(), await payOrder()];
    const small = await requestRefund({ orderNo: first, amountFen: 100, key: 'a' });
    const other = await requestRefund({ orderNo: first, amountFen: 50, key: 'b' });
    await moveToNoon();
    const { differences } = await compare([
      payment(first),
      payment(second, 601),
      payment('R234', 5, 'stranger'),
      refund(first, small.refundNo, 90),
      refund(first, 'by-hand', 1, '5030001'),
      refund('R234', 'by-hand-2', 1),
    ]);
    expect(whatOf(differences)).toEqual([
      ['paid another amount', second, `sandbox-${second}`],
      ['paid, no such order', 'R234', 'stranger'],
      ['refunded another amount', first, small.refundNo],
      ['refunded, unknown here', first, 'by-hand'],
      ['refunded, no such order', 'R234', 'by-hand-2'],
      ['credited, not in the bill', third, `sandbox-${third}`],
      ['refunded here, not in the bill', first, other.refundNo],
    ]);
    expect(differences[3]?.sentence).toContain(
      `recharge refund-book --order ${first} --refund-id 5030001 --amount-fen 1`,
    );
    for (const { sentence } of differences) expect(sentence).toMatch(/^[^:]+: .+\.$/);
  });

  test('finds a second payment, a refund that is closed here, and one of another order', async () => {
    const [first, second] = [await payOrder(), await payOrder()];
    const closed = await requestRefund({ orderNo: first, amountFen: 100, key: 'a' });
    const other = await requestRefund({ orderNo: second, amountFen: 100, key: 'a' });
    await shop.stack.mysql.query("UPDATE refunds SET status = 'closed' WHERE refund_no = ?", [closed.refundNo]);
    await moveToNoon();
    const { differences } = await compare([
      ...[payment(first), payment(second), payment(second, 600, 'again')],
      ...[refund(first, closed.refundNo, 100), refund(first, other.refundNo, 100)],
    ]);
    // The second payment does not stand for the first, which is missing.
    expect(whatOf((await compare([payment(first), payment(second, 600, 'again')])).differences)).toContainEqual([
      ...['credited, not in the bill', second, `sandbox-${second}`],
    ]);
    const inProgress = { ...refund(first, closed.refundNo, 100), isPaid: false } as BillLine;
    const { explained } = await compare([payment(first), payment(second), inProgress]);
    expect(explained).toMatchObject([{ what: 'refund closed after the bill' }]);
    expect(whatOf(differences)).toEqual([
      ['paid twice', second, 'again'],
      ['refunded, closed here', first, closed.refundNo],
      ["refunded, another order's", first, other.refundNo],
    ]);
  });

  test('explains the refund of a second payment, which was never credited', async () => {
    const orderNo = await payOrder();
    const { differences, explained } = await compare([
      payment(orderNo),
      { ...refund(orderNo, 'by-hand', 600, '5030002'), transactionId: 'again' } as BillLine,
    ]);
    expect(whatOf(differences)).toEqual([]);
    expect(whatOf(explained)).toEqual([['refund of a second payment', orderNo, 'by-hand']]);
  });

  test('knows a refund of the console by its number at the provider', async () => {
    const orderNo = await payOrder();
    const { refundNo } = await requestRefund({ orderNo, amountFen: 100, key: 'a' });
    await shop.stack.mysql.query("UPDATE refunds SET origin = 'elsewhere', provider_refund_id = '5030009'");
    const { differences, refunds } = await compare([payment(orderNo), refund(orderNo, 'console-1', 100, '5030009')]);
    expect([differences, refunds, refundNo.length]).toEqual([[], 1, 32]);
  });

  test('tells lines of another AppID apart, unless they name an order of this deployment', async () => {
    const orderNo = await payOrder();
    const foreign = { ...payment('shop-1', 900, '4200009'), appId: 'wx-other' };
    const found = await compare([{ ...payment(orderNo), appId: 'wx-former' }, foreign]);
    expect(found).toMatchObject({ payments: 1, differences: [] });
    expect(found.otherApps).toEqual([{ appId: 'wx-other', payments: 1, billedFen: 900, refunds: 0, refundedFen: 0 }]);
  });

  test('explains what only the neighbouring day has', async () => {
    const [early, late, asked] = [await payOrder(), await payOrder(), await payOrder()];
    const { refundNo } = await requestRefund({ orderNo: asked, amountFen: 100, key: 'a' });
    await moveToNoon();
    const { from, to } = chinaDay(today());
    const at = (time: string, ms: number) => new Date(Date.parse(time) + ms);
    const setPaid = 'UPDATE recharge_orders SET paid_at = ? WHERE order_no = ?';
    await shop.stack.mysql.query(setPaid, [at(to, 5_000), early]);
    await shop.stack.mysql.query(setPaid, [at(to, -5_000), late]);
    await shop.stack.mysql.query('UPDATE refunds SET created_at = ?', [at(to, -10_000)]);
    const tomorrow = dayAfter(today());
    const ofToday = [payment(early), payment(asked)];
    const ofTomorrow = [payment(late), refund(asked, refundNo, 100)];
    const found = await compare(ofToday, today(), { [tomorrow]: ofTomorrow });
    expect([found.differences, found.undecided]).toEqual([[], []]);
    expect(whatOf(found.explained)).toEqual([
      ['booked on another day', early, `sandbox-${early}`],
      ['payment near midnight', late, `sandbox-${late}`],
      ['refund near midnight', asked, refundNo],
    ]);
    // Without the other bill nothing is known; if that bill does not have them, they are differences.
    const alone = await compare(ofToday);
    expect([alone.differences, whatOf(alone.undecided)]).toEqual([
      [],
      [
        ['payment near midnight, bill not read', late, `sandbox-${late}`],
        ['refund near midnight, bill not read', asked, refundNo],
      ],
    ]);
    for (const { sentence } of alone.undecided) expect(sentence).toContain(`--also ${tomorrow}=FILE`);
    expect(
      whatOf((await compare(ofToday, today(), { [tomorrow]: [payment(late, 600, 'another')] })).differences),
    ).toEqual([
      ['credited, not in the bill', late, `sandbox-${late}`],
      ['refunded here, not in the bill', asked, refundNo],
    ]);
    for (const { sentence } of found.explained) expect(sentence).toContain(tomorrow);
    // Accepted by the provider after midnight: the next day has it, and this day does not miss it.
    await shop.stack.mysql.query('UPDATE refunds SET provider_at = ?', [at(to, 20_000)]);
    expect(whatOf((await compare(ofToday, today(), { [tomorrow]: ofTomorrow })).explained)).toHaveLength(2);
    const next = await compare(ofTomorrow, tomorrow, { [today()]: ofToday });
    expect(whatOf(next.explained)).toEqual([
      ['booked on another day', late, `sandbox-${late}`],
      ['payment near midnight', early, `sandbox-${early}`],
    ]);
    expect([next.differences, from < to]).toEqual([[], true]);
  });

  test('reads books and bill in pages, and asks for no row twice', async () => {
    const orders = await Promise.all(Array.from({ length: 3 }, () => payOrder()));
    const many = Array.from({ length: 1_100 }, (_, i) => `R${String(i).padStart(31, 'A')}`);
    await shop.stack.mysql.query(
      `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, amount_fen,
         currency, units, status, transaction_id, paid_at) VALUES ?`,
      [many.map((no) => [no, 'a', 'u', 'coin', 'h', 'p', 'sandbox', 1, 'CNY', 1, 'paid', `t-${no}`, noon()])],
    );
    await shop.stack.mysql.query(
      `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, ext_ref) VALUES ?`,
      [many.map((no, i) => ['a', 'u', 'coin', i + 1, 1, i + 1, 'recharge', no, 'sandbox:clearing', `sandbox:t-${no}`])],
    );
    const lines = [...orders.map((no) => payment(no)), ...many.map((no) => payment(no, 1, `t-${no}`))];
    await shop.stack.resetCounters();
    const found = await compare(lines);
    expect(found).toMatchObject({ payments: 1_103, creditedFen: 2_900, differences: [], explained: [] });
    // Two pages of payments, two statements for refunds, three for the lines.
    expect(await shop.stack.counters()).toMatchObject({ mysqlRequests: 7 });
  });

  test('a billing day is a day in the time of China', () => {
    expect(chinaDay('2026-11-24')).toEqual({ from: '2026-11-23T16:00:00.000Z', to: '2026-11-24T16:00:00.000Z' });
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
