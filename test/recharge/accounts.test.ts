import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chinaDay, chinaDayOf, dayAfter } from '../../shared/recharge/books/china-day.ts';
import { reportDay } from '../../shared/recharge/books/day.ts';
import { reportMonth } from '../../shared/recharge/books/month.ts';
import { reconcileDay } from '../../shared/recharge/books/reconcile.ts';
import { grant } from '../../shared/recharge/grant.ts';
import { captureHold, placeHold, releaseHold } from '../../shared/recharge/hold.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { writeHeads } from '../support/wallet-heads.ts';

let shop: Shop;
let shopper: Shopper;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  shop = await openShop();
  folder = await temporaryFolder('accounts');
});
afterAll(() => folder.remove());
beforeEach(async () => {
  for (const table of ['ledger_entries', 'recharge_orders', 'refunds', 'sandbox_payments', 'reconciliations']) {
    await shop.stack.mysql.query(`DELETE FROM ${table}`);
  }
  shopper = await shop.shopper();
});

const DAY = '2026-03-10';
const at = (day: string, clock: string): Date => new Date(`${day}T${clock}+08:00`);

/** A paid order of 600 fen and 60 units whose times are moved to a day. */
async function payOn(day: string, clock = '12:00:00'): Promise<string> {
  const { orderNo } = (await shopper.create()).body;
  await payAtSandbox(orderNo, { notification: true });
  const time = at(day, clock);
  await shop.stack.mysql.query('UPDATE recharge_orders SET created_at = ?, paid_at = ? WHERE order_no = ?', [
    ...[time, time, orderNo],
  ]);
  await shop.stack.mysql.query('UPDATE sandbox_payments SET paid_at = ? WHERE order_no = ?', [time, orderNo]);
  await shop.stack.mysql.query('UPDATE ledger_entries SET created_at = ? WHERE ref = ?', [time, orderNo]);
  return orderNo;
}

async function refundOn(orderNo: string, day: string, amountFen: number): Promise<string> {
  const { refundNo } = await requestRefund({ orderNo, amountFen, key: `${day}${amountFen}`, reason: '=1+1' });
  const time = at(day, '13:00:00');
  await shop.stack.mysql.query('UPDATE refunds SET created_at = ?, provider_at = ? WHERE refund_no = ?', [
    ...[time, time, refundNo],
  ]);
  await shop.stack.mysql.query('UPDATE ledger_entries SET created_at = ? WHERE ref = ?', [time, refundNo]);
  return refundNo;
}

async function spendOn(day: string, amount: number): Promise<void> {
  const { ref } = (await shopper.spend(amount)).body;
  await shop.stack.mysql.query('UPDATE ledger_entries SET created_at = ? WHERE ref = ?', [at(day, '14:00:00'), ref]);
}

const reconcile = (day: string) =>
  reconcileDay({ provider: 'sandbox', day, merchantId: undefined, file: undefined, actor: 'tester' });

describe('a day of the books', () => {
  test('has sums of money, and units outstanding before and after it', async () => {
    const first = await payOn(dayAfter(DAY, -1));
    await payOn(DAY, '00:00:00');
    await payOn(DAY, '23:59:59');
    await refundOn(first, DAY, 100);
    await spendOn(DAY, 25);
    await payOn(dayAfter(DAY));
    await spendOn(dayAfter(DAY, 2), 5);
    await writeHeads(shop.stack.mysql);
    const { money, units, open, uncovered, broken } = await reportDay(DAY);
    const of = { provider: 'sandbox', merchantId: '', providerAppId: '', appId: shop.app.appId };
    expect(money).toEqual([{ ...of, payments: 2, paidFen: 1_200, refunds: 1, refundedFen: 100 }]);
    expect(units).toEqual([
      {
        ...{ appId: shop.app.appId, asset: 'coin', begin: 60, credited: 120, spent: -25, granted: 0 },
        ...{ refunded: -10, expired: 0, other: 0, end: 145 },
      },
    ]);
    expect({ open, uncovered, broken }).toEqual({
      open: [{ provider: 'sandbox', merchantId: '', providerAppId: '' }],
      uncovered: [],
      broken: [],
    });
    const shown = await portalHere(['recharge', 'day', '--day', DAY, '--money', 'yuan']);
    expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('12.00 yuan') });
  });

  test('counts a captured hold as spent, and a released one not at all', async () => {
    const { appId } = shop.app;
    await grant(appId, shopper.userId, newKey(), { amount: 50, reason: 'gift' });
    const hold = () => placeHold(appId, shopper.userId, newKey(), { amount: 20, reason: 'bid', seconds: 60 });
    const [taken, freed] = [await hold(), await hold()];
    await captureHold(appId, shopper.userId, taken.result.holdId, 15);
    await releaseHold(appId, shopper.userId, freed.result.holdId);
    const { units, broken } = await reportDay(chinaDayOf(Date.now()));
    expect([units, broken]).toEqual([[expect.objectContaining({ granted: 50, spent: -15, other: 0, end: 35 })], []]);
  });

  test('names payments without their units, and wallets whose entries do not lead to their balance', async () => {
    const [first, second] = [await payOn(DAY), await payOn(DAY)];
    await writeHeads(shop.stack.mysql);
    await shop.stack.mysql.query('UPDATE ledger_entries SET delta = 59 WHERE ref = ?', [first]);
    const { uncovered, broken } = await reportDay(DAY);
    expect(uncovered).toEqual([{ orderNo: first, refundNo: '' }]);
    expect(broken).toEqual([`${shop.app.appId}/${shopper.userId}/coin`]);
    await shop.stack.mysql.query('UPDATE ledger_entries SET delta = 60 WHERE ref = ?', [first]);
    await shop.stack.mysql.query('DELETE FROM ledger_entries WHERE ref = ?', [second]);
    expect((await reportDay(DAY)).broken).toHaveLength(1);
  });

  test('has units that agree also when two entries have times in another order than their numbers', async () => {
    const [first, second] = [await payOn(DAY, '00:00:00'), await payOn(dayAfter(DAY, -1), '23:59:59')];
    await writeHeads(shop.stack.mysql);
    const { units, broken } = await reportDay(DAY);
    expect([units[0]?.begin, units[0]?.end, broken, first === second]).toEqual([60, 120, [], false]);
  });
});

describe('a month of the books', () => {
  const MONTH = '2026-02';
  const days = Array.from({ length: 28 }, (_, i) => dayAfter(`${MONTH}-01`, i));

  test('is closed when every day was compared and agrees, and not before', async () => {
    const orderNo = await payOn('2026-02-03');
    await refundOn(orderNo, '2026-02-20', 60);
    await writeHeads(shop.stack.mysql);
    const before = await reportMonth(MONTH);
    expect(before).toMatchObject({
      agrees: false,
      isEmpty: false,
      accounts: [{ provider: 'sandbox', openDays: days }],
    });
    // On the tenth, nine days are over, and nobody is asked to compare the others.
    const running = await reportMonth(MONTH, Date.parse('2026-02-10T12:00:00+08:00'));
    expect(running).toMatchObject({ daysLeft: 19, agrees: false, accounts: [{ openDays: days.slice(0, 9) }] });
    for (const day of days) await reconcile(day);
    const after = await reportMonth(MONTH);
    expect(after).toMatchObject({
      agrees: true,
      accounts: [{ agreedDays: 28, openDays: [], differingDays: [], billedFen: 600, paidFen: 600, refundedFen: 60 }],
      units: [{ begin: 0, credited: 60, refunded: -6, end: 54 }],
    });
    expect(await portalHere(['recharge', 'month', '--month', MONTH])).toMatchObject({ code: 0 });
    // A payment that the books have and the bill does not.
    await shop.stack.mysql.query('DELETE FROM sandbox_payments');
    await reconcile('2026-02-03');
    expect(await reportMonth(MONTH)).toMatchObject({ agrees: false, accounts: [{ differingDays: ['2026-02-03'] }] });
    expect(await portalHere(['recharge', 'month', '--month', MONTH])).toMatchObject({ code: 1 });
  });

  test('is not closed when payments or refunds came into its books after its days were compared', async () => {
    const orderNo = await payOn('2026-02-03');
    for (const day of days) await reconcile(day);
    await refundOn(orderNo, '2026-02-04', 60);
    await writeHeads(shop.stack.mysql);
    expect(await reportMonth(MONTH)).toMatchObject({ agrees: false, accounts: [{ openDays: [], isChanged: true }] });
    await reconcile('2026-02-04');
    expect(await reportMonth(MONTH)).toMatchObject({ agrees: true });
    await payOn('2026-02-05');
    await writeHeads(shop.stack.mysql);
    const { code, stdout } = await portalHere(['recharge', 'month', '--month', MONTH]);
    expect([code, stdout]).toEqual([1, expect.stringContaining('other payments or refunds in the books than when')]);
  });

  test('counts a day that a former release compared as open', async () => {
    await payOn('2026-02-03');
    await reconcile('2026-02-03');
    await shop.stack.mysql.query('UPDATE reconciliations SET booked_fen = NULL, explained = NULL');
    expect((await reportMonth(MONTH)).accounts[0]?.openDays).toContain('2026-02-03');
  });

  test('does not count a day that was compared before its end', async () => {
    await payOn('2026-02-03');
    await reconcile('2026-02-03');
    await shop.stack.mysql.query('UPDATE reconciliations SET compared_at = ?', [at('2026-02-03', '23:00:00')]);
    const [account] = (await reportMonth(MONTH)).accounts;
    expect(account?.openDays).toContain('2026-02-03');
  });

  test('cannot be compared when it has not begun, or nobody paid', async () => {
    expect(await portalHere(['recharge', 'month', '--month', '2020-01'])).toMatchObject({ code: 2 });
    await payOn('2026-02-03');
    expect(await reportMonth(MONTH, Date.parse(chinaDay('2026-01-31').to))).toMatchObject({ isEmpty: true });
    expect(await portalHere(['recharge', 'month', '--month', '2026-13'])).toMatchObject({ code: 2 });
  });
});

describe('the export of the books', () => {
  const TODAY = chinaDayOf(Date.now());
  const options = ['--from', DAY, '--to', DAY];

  test('has a JSON line for each payment, refund and entry of the days', async () => {
    const orderNo = await payOn(DAY);
    const refundNo = await refundOn(orderNo, DAY, 100);
    await payOn(dayAfter(DAY));
    const { code, stdout } = await portalHere(['recharge', 'export', ...options]);
    const rows = stdout.split('\n').map((line) => JSON.parse(line));
    expect(code).toBe(0);
    expect(rows).toMatchObject([
      { kind: 'payment', orderNo, amountFen: 600, units: 60, at: at(DAY, '12:00:00').toISOString() },
      { kind: 'refund', orderNo, refundNo, amountFen: -100, units: -10, status: 'success' },
      { kind: 'entry', status: 'recharge', units: 60, balanceAfter: 60, ref: orderNo },
      { kind: 'entry', status: 'refund', units: -10, balanceAfter: 50, ref: refundNo },
    ]);
  });

  test('has orders that nobody paid', async () => {
    const { orderNo } = (await shopper.create()).body;
    const { stdout } = await portalHere(['recharge', 'export', '--from', dayAfter(TODAY, -1), '--to', dayAfter(TODAY)]);
    expect(stdout.split('\n').map((line) => JSON.parse(line))).toMatchObject([
      { kind: 'order', orderNo, status: 'pending', amountFen: null },
    ]);
  });

  test('has an unpaid order of its day, also if the order changed later, and none of another day', async () => {
    const ofDays: string[] = [];
    for (const day of [dayAfter(DAY, -1), DAY, dayAfter(DAY)]) {
      const { orderNo } = (await shopper.create()).body;
      // The update itself is the later change: today.
      await shop.stack.mysql.query('UPDATE recharge_orders SET created_at = ? WHERE order_no = ?', [
        ...[at(day, '00:00:00'), orderNo],
      ]);
      ofDays.push(orderNo);
    }
    const { stdout } = await portalHere(['recharge', 'export', ...options]);
    expect(stdout.split('\n').map((line) => JSON.parse(line))).toMatchObject([{ kind: 'order', orderNo: ofDays[1] }]);
  });

  test('is, as CSV, a file that spreadsheets open: yuan, days of China, and no formulas', async () => {
    const orderNo = await payOn(DAY, '00:30:00');
    await refundOn(orderNo, DAY, 5);
    await shop.stack.mysql.query("UPDATE recharge_orders SET transaction_id = '4200001234567890123456789012'");
    const file = join(folder.path, 'books.csv');
    const run = await portalJson(['recharge', 'export', ...options, '--csv', '--file', file]);
    expect(run).toEqual({ from: DAY, to: DAY, order: 0, payment: 1, refund: 1, entry: 2 });
    const text = readFileSync(file, 'utf8');
    expect(text.startsWith('\uFEFFday,time,kind,order,')).toBe(true);
    const lines = text.slice(1).split('\r\n');
    expect(lines).toHaveLength(6);
    const [head = [], payment = [], refund = []] = lines.map((line) => line.split(','));
    const cells = (row: string[]) => Object.fromEntries(head.map((name, index) => [name, row[index]]));
    expect(cells(payment)).toMatchObject({
      ...{ day: DAY, time: '00:30:00', kind: 'payment', order: orderNo, amount: '6.00', units: '60' },
      ...{ transaction: "'4200001234567890123456789012", user: shopper.userId },
    });
    expect(cells(refund)).toMatchObject({ amount: '-0.05', reason: "'=1+1" });
  });

  test('refuses days in the wrong order and a file that cannot be written, and leaves no part of one', async () => {
    expect(await portalHere(['recharge', 'export', '--from', '2026-03-11', '--to', DAY])).toMatchObject({ code: 2 });
    const nowhere = ['--file', join(folder.path, 'no/folder.csv')];
    expect(await portalHere(['recharge', 'export', ...options, ...nowhere])).toMatchObject({ code: 2 });
  });
});
