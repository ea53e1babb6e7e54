import type { RowDataPacket } from 'mysql2/promise';
import { beforeAll, describe, expect, test } from 'vitest';
import { query } from '../../shared/db.ts';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { chinaDayOf, dayAfter, daysFrom } from '../../shared/recharge/books/china-day.ts';
import { compareBill } from '../../shared/recharge/books/compare.ts';
import { reportDay } from '../../shared/recharge/books/day.ts';
import { exportBooks } from '../../shared/recharge/books/export.ts';
import { reportMonth } from '../../shared/recharge/books/month.ts';
import { moneyOf } from '../../shared/recharge/money.ts';
import { openWorkOf } from '../../shared/recharge/open-work.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { refundAdvice } from '../../shared/recharge/refund-advice.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';
import type { TestApp } from '../support/stack.ts';
import { writeHeads } from '../support/wallet-heads.ts';

/**
 * How MySQL runs the statements of money when the tables are large. A statement that reads a growing table from its
 * beginning, or sorts what grows, is slow only in a deployment that has succeeded.
 */
const ORDERS = 20_000;
const WALLETS = 2_000;
let shop: Shop;
let shopper: Shopper;
let server: TestApp;
beforeAll(async () => {
  shop = await openShop();
  server = await shop.stack.createApp({ actsFor: shop.app.appId });
  shopper = await shop.shopper();
  await fillTables();
}, 120_000);

/** Paid orders of many days and users with their entries, a tenth of them due, and a refund for each twentieth. */
async function fillTables(): Promise<void> {
  const run = (sql: string) => shop.stack.mysql.query(sql);
  await run('CREATE TABLE numbers (n INT PRIMARY KEY)');
  await run('INSERT INTO numbers VALUES (0)');
  for (let size = 1; size < ORDERS; size *= 2) await run(`INSERT INTO numbers SELECT n + ${size} FROM numbers`);
  await run(
    `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, amount_fen, currency,
       units, status, paid_at, next_check_at, expires_at, created_at, updated_at, delivery, delivery_check_at)
     SELECT CONCAT('RFILL', n), 'fill', CONCAT('user', n MOD ${WALLETS}), 'coin', '', 'p', 'wechatpay', 600, 'CNY', 60,
            IF(n MOD 10 = 0, 'pending', 'paid'), NOW(3) - INTERVAL 30 * n MINUTE,
            IF(n MOD 10 = 0, NOW(3) + INTERVAL n MINUTE, NULL), NOW(3), NOW(3) - INTERVAL 30 * n MINUTE,
            NOW(3) - INTERVAL 30 * n MINUTE,
            IF(n MOD 10 = 1, 'due', NULL), IF(n MOD 10 = 1, NOW(3) + INTERVAL n MINUTE, NULL) FROM numbers`,
  );
  await run(
    `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, ext_ref, created_at)
     SELECT 'fill', CONCAT('user', n MOD ${WALLETS}), 'coin', n DIV ${WALLETS} + 1, 60, 60 * (n DIV ${WALLETS} + 1),
            'recharge', CONCAT('RFILL', n), 'wechatpay:clearing', CONCAT('wechatpay:', n), NOW(3) - INTERVAL 30 * n MINUTE
       FROM numbers`,
  );
  await run(
    `INSERT INTO refunds (refund_no, order_no, amount_fen, units, status, next_check_at, created_at, provider_at, updated_at)
     SELECT CONCAT('FFILL', n), CONCAT('RFILL', n), 100, 10, 'success', NULL, NOW(3) - INTERVAL 30 * n MINUTE,
            NOW(3) - INTERVAL 30 * n MINUTE, NOW(3) - INTERVAL 30 * n MINUTE FROM numbers WHERE n MOD 20 = 1`,
  );
  // Not moved later: what a moved row leaves behind in an index counts until MySQL has cleaned up.
  await writeHeads(shop.stack.mysql, 365);
  await run('ANALYZE TABLE recharge_orders, ledger_entries, refunds');
}

async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  const seen = new Map<string, string>();
  shop.stack.faults.mysql = ({ sql = '' }) => {
    // One of each form: values are not part of it.
    seen.set(sql.replaceAll(/'[^']*'|\b\d+\b/g, '?'), sql);
    return undefined;
  };
  try {
    await work();
  } finally {
    shop.stack.faults.mysql = undefined;
  }
  return [...seen.values()].filter((sql) => /recharge_orders|ledger_entries|refunds\b/.test(sql));
}

/** A tenth of the smallest table: fewer rows than that need no index. */
const MANY = 100;

async function slowParts(sql: string): Promise<string[]> {
  const [rows] = await shop.stack.mysql.query<RowDataPacket[]>(`EXPLAIN ${sql}`);
  return rows.flatMap(({ table, type, rows: read, Extra }) => {
    const readsAll = (type === 'ALL' || type === 'index') && Number(read) > MANY && !String(table).startsWith('<');
    const sorts = /Using filesort|Using temporary/.test(String(Extra)) && Number(read) > MANY;
    return readsAll || sorts ? [`${table}: ${type}, ${read} rows, ${Extra} in ${sql.slice(0, 300)}`] : [];
  });
}

const inWallet = (method: string, path: string, body: object) =>
  shop.stack.call(server, method, `/wallets/${shopper.userId}${path}`, {
    body,
    headers: { 'idempotency-key': newKey() },
  });

const YESTERDAY = dayAfter(chinaDayOf(Date.now()), -1);
const LAST_MONTH = dayAfter(`${YESTERDAY.slice(0, 7)}-01`, -1).slice(0, 7);
const MERCHANT = { provider: 'wechatpay', providerAppId: '', merchantId: '' };
const subjectOf = (day: string) => ({ ...MERCHANT, day, appIds: new Set(['']), refunds: true, isBilled: () => true });
const paid = (orderNo: string) => ({ line: 2, appId: '', orderNo, transactionId: `t${orderNo}` });
const payment = (orderNo: string) => ({ ...paid(orderNo), kind: 'payment' as const, amountFen: 600 });
const refund = (orderNo: string, refundNo: string) => ({
  ...{ ...paid(orderNo), kind: 'refund' as const, refundNo, refundId: '', isPaid: true, amountFen: 100 },
});

/** What may read or sort many rows: the part of the plan, the statement, and the reason. */
interface Exception {
  plan: RegExp;
  of: string;
  reason: string;
}
const FEW_GROUPS: Exception = {
  plan: /^[eh]: (range|ref|ALL), .*Using temporary/,
  of: 'SUM(',
  reason: 'the table that is sorted has a row for each app, asset and kind; the entries of a statement are bounded',
};
const ALL_HEADS: Exception = {
  plan: /^e: ALL, \d+ rows, Using where in/,
  of: 'FORCE INDEX (PRIMARY)',
  reason: 'an entry that was cut off leaves no newer row, so the head of each wallet is compared with its last entry',
};

describe('no statement reads or sorts a growing table', () => {
  const works: [name: string, work: () => Promise<unknown>, except?: Exception][] = [
    [
      'an order and its repetition',
      async () => [await shopper.create('k'.repeat(20)), await shopper.create('k'.repeat(20))],
    ],
    [
      'a payment, twice',
      async () => {
        const { orderNo } = (await shopper.create()).body;
        await shop.notify({ orderNo });
        await shop.notify({ orderNo });
      },
    ],
    [
      'the balance, entries and orders',
      async () => [await shopper.balance(), await shopper.get('/balance/entries'), await shopper.get('/recharge')],
    ],
    ['a question about a refund', () => refundAdvice('sandbox', 'RFILL1')],
    ['a spend', () => shopper.spend(1)],
    [
      'grant, hold, capture and look-up by a server',
      async () => {
        const granted = await inWallet('POST', '/grant', {
          amount: 5,
          reason: 'gift',
          expiresAt: '2037-01-01T00:00:00Z',
        });
        const { holdId } = (await inWallet('POST', '/holds', { amount: 5, reason: 'bid', seconds: 60 })).body;
        await inWallet('POST', `/holds/${holdId}/capture`, {});
        await shop.stack.call(server, 'GET', `/wallets/${shopper.userId}/entries`, {
          query: `ref=${granted.body.ref}`,
        });
      },
    ],
    [
      'a refund',
      async () => {
        const { orderNo } = (await shopper.create()).body;
        await shop.notify({ orderNo });
        await requestRefund({ orderNo, amountFen: 100, key: 'k' });
      },
    ],
    [
      'a sweep that finds a payment',
      async () => {
        const { orderNo } = (await shopper.create()).body;
        await payAtSandbox(orderNo, { notification: false });
        await shop.stack.mysql.query('UPDATE recharge_orders SET next_check_at = NOW(3) WHERE order_no = ?', [orderNo]);
        expect(await sweepRecharge({ stopAt: Date.now() + 20_000 })).toMatchObject({ credited: 1 });
      },
    ],
    ['what a user has, before an account ends', () => moneyOf(shopper.userId, query)],
    [
      'the comparison of a day with its bill',
      () => compareBill(subjectOf(YESTERDAY), { lines: [payment('RFILL51'), refund('RFILL61', 'FFILL61')] }),
    ],
    ['the report of a day', () => reportDay(YESTERDAY), FEW_GROUPS],
    ['the report of a month', () => reportMonth(LAST_MONTH), FEW_GROUPS],
    [
      'an export of a day',
      async () => {
        for await (const page of exportBooks(daysFrom(YESTERDAY, YESTERDAY)))
          expect(page.length).toBeLessThanOrEqual(5_000);
      },
    ],
    ['an audit of what changed', () => auditLedger(new Date(Date.now() - 3_600_000).toISOString()), ALL_HEADS],
    ['the open work of a merchant', () => openWorkOf(MERCHANT, query)],
  ];
  test.each(works)('%s', async (_, work, except) => {
    const statements = await statementsOf(work);
    expect(statements.length).toBeGreaterThan(0);
    const slow: string[] = [];
    for (const sql of statements) slow.push(...(await slowParts(sql)));
    const isExcepted = (part: string) => except?.plan.test(part) === true && part.includes(except.of);
    expect(slow.filter((part) => !isExcepted(part))).toEqual([]);
    // An exception that nothing needs any more has to go.
    if (except) expect(slow.some(isExcepted), except.reason).toBe(true);
  });
});

test('the check itself finds a statement without an index', async () => {
  expect(await slowParts('SELECT order_no FROM recharge_orders WHERE product_id = 7')).toHaveLength(1);
  expect(
    await slowParts('SELECT order_no FROM recharge_orders WHERE next_check_at > NOW() ORDER BY units'),
  ).toHaveLength(1);
});
