import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { mergeUsers } from '../../shared/account/merge.ts';
import { query } from '../../shared/db.ts';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { grant } from '../../shared/recharge/grant.ts';
import { placeHold, releaseHold } from '../../shared/recharge/hold.ts';
import { exportMoney, moneyOf } from '../../shared/recharge/money.ts';
import { settlePayment } from '../../shared/recharge/payment.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { readWallet, walletEntries } from '../../shared/recharge/user-wallet.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { newKey, openShop, type Shop, type Shopper, sandboxPayment } from '../support/recharge-fixture.ts';

/** Two users of one person, each with a wallet. */
let shop: Shop;
let from: Shopper;
let into: Shopper;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(async () => {
  [from, into] = [await shop.shopper(), await shop.shopper()];
});

const merge = (by = from, to = into) => mergeUsers({ from: by.userId, into: to.userId }, { wallets: true }, 'tester');
const give = (to: Shopper, amount: number, expiresAt?: string) =>
  grant(shop.app.appId, to.userId, newKey(), { amount, reason: 'gift', expiresAt });
const balanceOf = async (of: Shopper) => (await readWallet(shop.app.appId, of.userId)).balance;
const agrees = async () => expect((await auditLedger()).findings).toEqual([]);
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString();

describe('merging the wallets of two users', () => {
  test('moves all units, keeps the sum, and both numbers of the ended user lead to the other wallet', async () => {
    await give(from, 70);
    await give(into, 5);
    expect(await merge()).toMatchObject({ units: [{ appId: shop.app.appId, asset: 'coin', units: 70 }] });
    expect(await balanceOf(into)).toBe(75);
    // Looked up by the ended user: the wallet of the one who took its place.
    expect(await balanceOf(from)).toBe(75);
    expect(await into.balance()).toBe(75);
    await agrees();
  });

  test('is done once when it is repeated', async () => {
    await give(from, 70);
    const first = await merge();
    expect(await merge()).toEqual(first);
    expect(await balanceOf(into)).toBe(70);
    await agrees();
  });

  test('keeps the end of units that expire, and moves only what is left of them', async () => {
    const end = inMs(1_500);
    await give(from, 40);
    await give(from, 30, end);
    await from.spend(10);
    await merge();
    expect(await balanceOf(into)).toBe(60);
    await new Promise((resolve) => setTimeout(resolve, Date.parse(end) - Date.now() + 50));
    await sweepRecharge({ stopAt: Date.now() + 20_000 });
    expect(await balanceOf(into)).toBe(40);
    await agrees();
  });

  test('ends a lot that is overdue, also if the sweeper has looked further than its end', async () => {
    await give(from, 40, inMs(600));
    await new Promise((resolve) => setTimeout(resolve, 700));
    await merge();
    // As after an hour without a sweeper that reached this lot.
    await shop.stack.mysql.query(
      "REPLACE INTO ledger_marks (name, done_until) SELECT 'expiry', MIN(expires_at) FROM ledger_entries WHERE kind = 'grant' AND user_id = ?",
      [from.userId],
    );
    await sweepRecharge({ stopAt: Date.now() + 20_000 });
    expect(await balanceOf(into)).toBe(0);
    await agrees();
  });

  test('moves a debt, too', async () => {
    const orderNo = (await from.create()).body.orderNo;
    await settlePayment(sandboxPayment(orderNo));
    await from.spend(50);
    await requestRefund({ orderNo, amountFen: 600, key: 'k' });
    await give(into, 100);
    await merge();
    expect(await balanceOf(into)).toBe(50);
    await agrees();
  });

  test('is refused while a hold or a refund is open, and nothing moves', async () => {
    await give(from, 70);
    const { result } = await placeHold(shop.app.appId, from.userId, newKey(), {
      amount: 10,
      reason: 'bid',
      seconds: 60,
    });
    await expect(merge()).rejects.toThrow('10 of them held');
    expect([await balanceOf(from), await balanceOf(into)]).toEqual([70, 0]);
    await releaseHold(shop.app.appId, from.userId, result.holdId);
    await merge();
    expect(await balanceOf(into)).toBe(70);
    await agrees();
  });

  test('leads payments, refunds and syncs of old orders to the wallet of the user that stays', async () => {
    const [open, paid] = [(await from.create()).body.orderNo, (await from.create()).body.orderNo];
    await settlePayment(sandboxPayment(paid));
    await merge();
    expect(await settlePayment(sandboxPayment(open))).toBe('credited');
    expect(await settlePayment(sandboxPayment(open))).toBe('known');
    expect(await into.balance()).toBe(120);
    expect(await requestRefund({ orderNo: paid, amountFen: 600, key: 'k' })).toMatchObject({ status: 'success' });
    expect(await into.balance()).toBe(60);
    expect(await into.sync(open)).toMatchObject({ status: 200, body: { orderNo: open, status: 'paid' } });
    expect((await shop.stack.mysql.query('SELECT user_id FROM recharge_orders WHERE order_no = ?', [open]))[0]).toEqual(
      [{ user_id: from.userId }],
    );
    await agrees();
  });

  test('twice in a row leads from the first user to the last in one step', async () => {
    const orderNo = (await from.create()).body.orderNo;
    await give(from, 10);
    await merge();
    const last = await shop.shopper();
    await merge(into, last);
    expect(await balanceOf(last)).toBe(10);
    expect(await settlePayment(sandboxPayment(orderNo))).toBe('credited');
    expect(await last.balance()).toBe(70);
    await expect(merge(last, from)).rejects.toThrow('was merged into user');
    await agrees();
  });

  test('twice in a row keeps what was credited and refunded between the two', async () => {
    const orderNo = (await from.create()).body.orderNo;
    await merge();
    expect(await settlePayment(sandboxPayment(orderNo))).toBe('credited');
    expect(await requestRefund({ orderNo, amountFen: 100, key: 'between' })).toMatchObject({ status: 'success' });
    const last = await shop.shopper();
    await merge(into, last);
    expect(await requestRefund({ orderNo, amountFen: 200, key: 'after' })).toMatchObject({ status: 'success' });
    expect(await balanceOf(last)).toBe(30);
    await agrees();
  });

  test('makes the open orders, refunds and history of the ended user those of the other one', async () => {
    const [open, paid] = [(await from.create()).body.orderNo, (await from.create()).body.orderNo];
    await settlePayment(sandboxPayment(paid));
    const spent = (await from.spend(10)).body.ref;
    await merge();
    const ask = async (userId: string) => (await moneyOf(userId, query)).map(({ openOrders }) => openOrders);
    expect(await ask(into.userId)).toEqual([1]);
    const exported = await exportMoney(into.userId, 10);
    expect(exported.orders.map((order) => order.orderNo).sort()).toEqual([open, paid].sort());
    const page = { after: undefined, limit: 10 };
    expect(await walletEntries(shop.app.appId, from.userId, page, spent)).toMatchObject({
      entries: [{ kind: 'spend', delta: -10 }],
    });
  });

  test('that is not complete is found by the audit', async () => {
    const living = await shop.shopper();
    const change = (to: string | null) =>
      shop.stack.mysql.query('UPDATE users SET merged_into = ? WHERE user_id = ?', [to, living.userId]);
    await change(into.userId);
    expect((await auditLedger()).findings).toEqual([
      expect.objectContaining({ invariant: 'M1', subject: living.userId }),
    ]);
    await change(null);
    await agrees();
  });

  test('while payments of both users arrive loses and doubles nothing', async () => {
    for (let round = 0; round < 5; round++) {
      [from, into] = [await shop.shopper(), await shop.shopper()];
      const orders = await Promise.all([from, into, from].map(async (by) => (await by.create()).body.orderNo));
      await Promise.all([...orders.map((orderNo) => settlePayment(sandboxPayment(orderNo))), merge()]);
      expect(await balanceOf(into)).toBe(180);
    }
    await agrees();
  });

  test('that dies before any of its requests moves nothing or everything', { timeout: 60_000 }, async () => {
    await crashBeforeEach(shop.stack, async (dying) => {
      [from, into] = [await shop.shopper(), await shop.shopper()];
      await give(from, 7);
      await give(from, 5, inMs(600_000));
      await dying(() => merge());
      expect(await balanceOf(into)).toBe((await isMerged()) ? 12 : 0);
      await merge();
      expect(await balanceOf(into)).toBe(12);
    });
    await agrees();
  });

  const isMerged = async () => {
    const [rows] = await shop.stack.mysql.query('SELECT merged_into FROM users WHERE user_id = ?', [from.userId]);
    return (rows as Array<{ merged_into: string | null }>)[0]?.merged_into !== null;
  };
});
