import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { BillRefused } from '../../shared/recharge/books/bill.ts';
import { chinaDay, chinaDayOf, dayAfter } from '../../shared/recharge/books/china-day.ts';
import { reconcileDay } from '../../shared/recharge/books/reconcile.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { findOrder } from '../../shared/recharge/order.ts';
import { credit } from '../../shared/recharge/payment.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { syncOrder } from '../../shared/recharge/sync.ts';
import { createWechatPay, type WechatPay } from '../../shared/recharge/wechatpay/client.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { openShop, type Shop } from '../support/recharge-fixture.ts';
import { overSocket } from '../support/wechatpay-receiver.ts';

/** A merchant's day at the simulator. A bench may run it with more payments. */
const PAYMENTS = 10 * Math.ceil(Number(process.env.MERCHANT_DAY_PAYMENTS ?? 300) / 10);

let shop: Shop;
let mock: MockWechatPay;
let pay: WechatPay;
/** Orders of which this deployment is never notified. */
let silent: WechatPay;
let userId: string;
/** The day of the story, by the simulator's clock, and the day after. */
let day: string;
let nextDay: string;

/** Moves the simulator's clock, and that of this process, which signs and checks by it. */
async function moveTo(time: number): Promise<void> {
  await mock.advance(time - mock.now() * 1000);
  vi.setSystemTime(time);
}
const at = (clock: string, of = day): number => Date.parse(`${of}T${clock}+08:00`);

let numbers = 0;
/** An order here and at WeChat. Its number has the form of ours. */
async function place(client = pay): Promise<string> {
  numbers += 1;
  const orderNo = `R${String(numbers).padStart(31, 'A')}`;
  const { appId, mchId } = mock.config;
  await shop.stack.mysql.query(
    `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, provider_app_id,
       merchant_id, amount_fen, currency, units, expires_at) VALUES (?, ?, ?, 'coin', '', 'coins-60', 'wechatpay', ?, ?,
       600, 'CNY', 60, ?)`,
    [orderNo, shop.app.appId, userId, appId, mchId, new Date(mock.now() * 1000 + 1_800_000)],
  );
  await prepay(orderNo, client);
  return orderNo;
}
const prepay = (outTradeNo: string, client: WechatPay) => {
  const expiresAtSeconds = mock.now() + 1_800;
  return client.prepay({ outTradeNo, amountFen: 600, openid: 'openid-1', description: '60 coins', expiresAtSeconds });
};
async function buy(how: { couponFen?: number } = {}): Promise<string> {
  const orderNo = await place();
  await mock.pay(orderNo, how);
  return orderNo;
}
/** A refund is stored with the time of the database, which is not moved. */
async function refund(orderNo: string): Promise<string> {
  const { refundNo } = await requestRefund({ orderNo, amountFen: 100, key: 'k' });
  await shop.stack.mysql.query('UPDATE refunds SET created_at = ? WHERE refund_no = ?', [
    ...[new Date(Date.now()), refundNo],
  ]);
  return refundNo;
}
/** Credited here, and never paid. */
async function invent(transactionId: string, time: number): Promise<string> {
  const orderNo = await place();
  const { appId: providerAppId, mchId: merchantId } = mock.config;
  const forged = { provider: 'wechatpay', providerAppId, merchantId, amountFen: 600, currency: 'CNY' };
  await credit({ ...forged, orderNo, transactionId, paidAt: null });
  await shop.stack.mysql.query(
    "UPDATE recharge_orders SET status = 'paid', transaction_id = ?, paid_at = ? WHERE order_no = ?",
    [transactionId, new Date(time), orderNo],
  );
  return orderNo;
}
const reconcile = (of: string, file?: Uint8Array) =>
  reconcileDay({ provider: 'wechatpay', day: of, merchantId: undefined, file, actor: 'tester' });

beforeAll(async () => {
  shop = await openShop();
  mock = await startMockWechatPay({ notifyUrl: `${shop.stack.url}/recharge/notify/wechatpay`, manual: true });
  atEndOfFile(() => mock.stop());
  await setMerchant('wechatpay', mock.config, { actor: 'tester' });
  userId = (await shop.shopper()).userId;
  pay = createWechatPay(mock.config, overSocket(), mock.now);
  silent = createWechatPay({ ...mock.config, notifyUrl: 'http://127.0.0.1:9/nobody' }, overSocket(), mock.now);
  day = dayAfter(chinaDayOf(Date.now()));
  nextDay = dayAfter(day);
});
afterAll(() => void vi.useRealTimers());

describe("a merchant's day, compared with its bill", () => {
  let lost = '';
  let stranger = '';
  let invented = '';
  let console = '';

  test(
    'has payments, coupons, refunds, another AppID, and events around midnight',
    async () => {
      await moveTo(at('10:00:00'));
      const paid: string[] = [];
      while (paid.length < PAYMENTS) {
        const batch = Array.from({ length: 10 }, (_, i) => buy(i === 0 ? { couponFen: 100 } : {}));
        paid.push(...(await Promise.all(batch)));
      }
      for (const orderNo of paid.slice(0, 20)) await mock.refundResult(await refund(orderNo), 'SUCCESS');
      for (let i = 0; i < 5; i++) mock.payElsewhere({ appId: 'wx-other', outTradeNo: `shop-${i}`, totalFen: 900 });

      // Paid, and its notification never arrives.
      lost = await place(silent);
      await mock.pay(lost);
      // Paid with the same AppID by another system.
      stranger = 'other-system-1';
      await prepay(stranger, silent);
      await mock.pay(stranger);
      // Refunded in the console, where no notification is set.
      console = paid[30] ?? '';
      await mock.refundAtConsole(console, 50, { notify: false });
      invented = await invent('4209', at('12:00:00'));

      // Paid before midnight, and reported after it.
      await moveTo(at('23:59:40'));
      mock.holdNotifications();
      await buy();
      // The process that credited it ended before it wrote the time; the sweeper wrote its own.
      const marked = await place();
      mock.releaseNotifications('same');
      await mock.pay(marked);
      await shop.stack.mysql.query('UPDATE recharge_orders SET paid_at = ? WHERE order_no = ?', [
        ...[new Date(at('00:00:10', nextDay)), marked],
      ]);
      // Asked for before midnight, and accepted by WeChat after it.
      await moveTo(at('23:59:50'));
      mock.setFault({ on: 'refund', kind: 'system-error' });
      await refund(paid[40] ?? '');
      await moveTo(at('00:00:20', nextDay));
      await shop.stack.mysql.query(
        'UPDATE refunds SET next_check_at = NOW(3) - INTERVAL 1 SECOND, sent_at = NULL WHERE next_check_at IS NOT NULL',
      );
      await sweepRecharge({ stopAt: Date.now() + 60_000 });
      await buy();
      expect(mock.refunds()).toHaveLength(22);
      await moveTo(at('10:30:00', nextDay));
    },
    120_000 + 100 * PAYMENTS,
  );

  test('ends with exactly the true differences, each with one sentence', async () => {
    const found = await reconcile(day);
    expect(found.differences.map(({ what, orderNo }) => [what, orderNo]).sort()).toEqual(
      [
        ['paid, not credited', lost],
        ['paid, no such order', stranger],
        ['refunded, unknown here', console],
        ['credited, not in the bill', invented],
      ].sort(),
    );
    for (const { sentence } of found.differences) expect(sentence).toMatch(/^[^:]+: .+\.$/);
    expect(found).toMatchObject({ payments: PAYMENTS + 4, refunds: 21, billedFen: (PAYMENTS + 4) * 600 });
    expect(found.otherApps).toEqual([{ appId: 'wx-other', payments: 5, billedFen: 4_500, refunds: 0, refundedFen: 0 }]);
    expect(found.explained.map(({ what }) => what)).toContain('booked on another day');
  });

  test('agrees on the day after, which has the refund and not the payment of midnight', async () => {
    await moveTo(at('10:30:00', dayAfter(nextDay)));
    const found = await reconcile(nextDay);
    expect(found).toMatchObject({ payments: 1, refunds: 1, refundedFen: 100, differences: [] });
  });

  test('is the same from a downloaded file, which is refused when a line is missing', async () => {
    const text = (await pay.tradeBill(day)) ?? '';
    const fromFile = await reconcile(day, Buffer.from(text));
    expect(fromFile.differences).toHaveLength(4);
    const cut = text.split('\r\n').toSpliced(5, 1).join('\r\n');
    await expect(reconcile(day, Buffer.from(cut))).rejects.toThrow(BillRefused);
    await expect(reconcile(nextDay, Buffer.from(text))).rejects.toThrow(`is of ${day}, not of ${nextDay}`);
    const [rows] = await shop.stack.mysql.query('SELECT payments, JSON_LENGTH(differences) AS n FROM reconciliations');
    expect(rows).toEqual([
      { payments: PAYMENTS + 4, n: 4 },
      { payments: 1, n: 0 },
    ]);
  });

  test('loses a difference when its sentence is followed', async () => {
    const order = await findOrder(lost);
    if (!order) throw new Error('no such order');
    await syncOrder(order);
    expect((await reconcile(day)).differences.map(({ what }) => what)).not.toContain('paid, not credited');
  });

  test('is empty when neither side has anything, and is stored as such when the bill would be there', async () => {
    const before = '2026-01-02';
    expect(await reconcile(before)).toMatchObject({ isEmpty: true, differences: [] });
    const [rows] = await shop.stack.mysql.query('SELECT payments FROM reconciliations WHERE day = ?', [before]);
    expect(rows).toEqual([{ payments: 0 }]);
    // A bill that is not there is no bill that agrees, also near midnight.
    const orderNo = await invent('4210', at('23:55:00', before));
    expect(await reconcile(before)).toMatchObject({
      ...{ isWithoutBill: true, explained: [], differences: [{ what: 'credited, not in the bill', orderNo }] },
    });
    const future = dayAfter(nextDay, 3);
    expect(await reconcile(future)).toMatchObject({ isEmpty: true });
    const [none] = await shop.stack.mysql.query('SELECT payments FROM reconciliations WHERE day = ?', [future]);
    expect([none, chinaDay(future).from > chinaDay(day).to]).toEqual([[], true]);
  });
});
