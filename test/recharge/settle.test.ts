import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { dayAfter } from '../../shared/recharge/books/china-day.ts';
import { approveRequest } from '../../shared/recharge/money-request.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { portalHere } from '../support/portal-command.ts';
import { openShop, type Shop } from '../support/recharge-fixture.ts';
import { temporaryFolder } from '../support/temporary-folder.ts';
import { writeHeads } from '../support/wallet-heads.ts';

/** Bills of a merchant, given as files; its orders are written as if they had been paid and credited. */
const MERCHANT = '1900000001';
const DAY = '2026-02-10';
const NEXT = dayAfter(DAY);
let shop: Shop;
let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  shop = await openShop();
  folder = await temporaryFolder('settle');
});
afterAll(() => folder.remove());
beforeEach(async () => {
  const tables = ['ledger_entries', 'recharge_orders', 'reconciliations', 'settled_differences', 'money_requests'];
  for (const table of [...tables, 'audit_log']) await shop.stack.mysql.query(`DELETE FROM ${table}`);
});

let orders = 0;
/** Books a payment of 600 fen at a time in China. */
async function book(day: string, clock: string): Promise<string> {
  const orderNo = `R${String(++orders).padStart(31, 'A')}`;
  const at = new Date(`${day}T${clock}+08:00`);
  await shop.stack.mysql.query(
    `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, provider_app_id,
       merchant_id, amount_fen, currency, units, status, transaction_id, paid_at) VALUES ?`,
    [
      [
        [
          orderNo,
          'a',
          orderNo,
          'coin',
          '',
          'p',
          'wechatpay',
          'wx1',
          MERCHANT,
          600,
          'CNY',
          60,
          'paid',
          idOf(orderNo),
          at,
        ],
      ],
    ],
  );
  await shop.stack.mysql.query(
    `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, ext_ref, created_at)
     VALUES ?`,
    [[['a', orderNo, 'coin', 1, 60, 60, 'recharge', orderNo, 'wechatpay:clearing', `wechatpay:${idOf(orderNo)}`, at]]],
  );
  await writeHeads(shop.stack.mysql);
  return orderNo;
}
const idOf = (orderNo: string) => `4200${orderNo.slice(-4)}`.replaceAll('A', '0');

const HEAD =
  '交易时间,公众账号ID,商户号,微信订单号,商户订单号,交易状态,微信退款单号,商户退款单号,退款状态,订单金额,申请退款金额';
interface Line {
  orderNo: string;
  id?: string;
  fen?: number;
}
let files = 0;
/** The file of a bill with these payments. */
function bill(day: string, lines: readonly Line[]): string {
  const row = (values: string[]) => values.map((value) => `\`${value}`).join(',');
  const yuan = (fen: number) => (fen / 100).toFixed(2);
  const rows = lines.map(({ orderNo, id = idOf(orderNo), fen = 600 }) =>
    row([`${day} 12:00:00`, 'wx1', MERCHANT, id, orderNo, 'SUCCESS', '0', '0', '', yuan(fen), '0.00']),
  );
  const sum = lines.reduce((total, { fen = 600 }) => total + fen, 0);
  const summary = ['总交易单数,订单总金额,申请退款总金额', row([`${lines.length}`, yuan(sum), '0.00'])];
  const file = join(folder.path, `bill-${++files}.csv`);
  writeFileSync(file, [HEAD, ...rows, ...summary, ''].join('\n'));
  return file;
}

const run = (...argv: string[]) => portalHere(['recharge', ...argv, '--json']);
const reconcile = (day: string, lines: readonly Line[], ...more: string[]) =>
  run(
    'reconcile',
    '--provider',
    'wechatpay',
    '--merchant',
    MERCHANT,
    '--day',
    day,
    '--bill',
    bill(day, lines),
    ...more,
  );
const settle = (difference: string, ...more: string[]) =>
  run('settle-difference', '--difference', difference, '--reason', 'agreed by mail', ...more);
const unsettle = (difference: string) => run('unsettle-difference', '--difference', difference);
const logged = async () => {
  const [rows] = await shop.stack.mysql.query(
    "SELECT action, actor, subject FROM audit_log WHERE action LIKE 'recharge.%settle' ORDER BY id",
  );
  return (rows as Array<Record<string, string>>).map(({ action, actor, subject }) => [action, actor, subject]);
};

describe('a payment near midnight', () => {
  test.each([
    ['23:55:00', DAY, NEXT],
    ['00:05:00', NEXT, DAY],
  ])('of %s is explained only by the bill of the neighbouring day', async (clock, day, other) => {
    const orderNo = await book(day, clock);
    const alone = await reconcile(day, []);
    expect(alone).toMatchObject({ code: 2, json: { nothingCompared: true, differences: [] } });
    expect(alone.json.undecided).toMatchObject([{ orderNo, otherDay: other }]);
    const without = await reconcile(day, [], '--also', `${other}=${bill(other, [])}`);
    expect(without).toMatchObject({ code: 1, json: { differences: [{ what: 'credited, not in the bill', orderNo }] } });
    const also = ['--also', `${other}=${bill(other, [{ orderNo }])}`];
    expect(await reconcile(day, [], ...also)).toMatchObject({ code: 0, json: { differences: [], undecided: [] } });
    expect(await reconcile(other, [{ orderNo }])).toMatchObject({ code: 0 });
  });

  test('is not explained by a bill of another day or merchant, or by a file that is none', async () => {
    await book(DAY, '23:55:00');
    const wrong = bill(dayAfter(DAY, 2), [{ orderNo: 'R1' }]);
    expect(await reconcile(DAY, [], '--also', `${NEXT}=${wrong}`)).toMatchObject({ code: 2 });
    for (const also of [NEXT, `${NEXT}=`, `2026-02-30=${wrong}`, `${NEXT}=/nowhere`])
      expect(await reconcile(DAY, [], '--also', also)).toMatchObject({ code: 2 });
  });

  test('keeps its day open until the other bill was read', async () => {
    await book(DAY, '23:55:00');
    await reconcile(DAY, []);
    const month = await run('month', '--month', '2026-02');
    expect(month.json.accounts[0].differingDays).toEqual([DAY]);
  });
});

describe('a month', () => {
  const days = Array.from({ length: 28 }, (_, i) => dayAfter('2026-02-01', i));
  const month = () => run('month', '--month', '2026-02');

  test('has each payment near midnight once, and names what only the next month has in its bill', async () => {
    const inner = await book(DAY, '23:59:30');
    const outer = await book('2026-02-28', '23:59:30');
    const before = await book('2026-01-31', '23:59:50');
    const billed: Record<string, Line[]> = {
      [NEXT]: [{ orderNo: inner }],
      '2026-03-01': [{ orderNo: outer }],
      '2026-02-01': [{ orderNo: before }],
    };
    for (const day of days) {
      const next = dayAfter(day);
      expect(
        await reconcile(day, billed[day] ?? [], '--also', `${next}=${bill(next, billed[next] ?? [])}`),
        day,
      ).toMatchObject({ json: { differences: [], undecided: [] } });
    }
    const closed = await month();
    expect(closed).toMatchObject({ code: 0, json: { accounts: [{ billedFen: 1_200, paidFen: 1_200 }] } });
    expect(closed.json.accounts[0].explained).toMatchObject([
      { orderNo: before, otherDay: '2026-01-31' },
      { orderNo: outer, otherDay: '2026-03-01' },
    ]);
    const { stdout } = await portalHere(['recharge', 'month', '--month', '2026-02']);
    expect(stdout).toContain(`Order ${outer} was paid at 2026-02-28 23:59:30, near midnight, and is in the bill of`);
    expect(stdout).not.toContain(inner);
  });

  test('is closed when its last difference is settled, and open again when that ends', async () => {
    const [orderNo, twice] = [await book(DAY, '12:00:00'), 'second'];
    for (const day of days) await reconcile(day, day === DAY ? [{ orderNo }, { orderNo, id: twice }] : []);
    expect(await month()).toMatchObject({ code: 1, json: { accounts: [{ differingDays: [DAY] }] } });
    const key = `wechatpay/${MERCHANT}/paid-twice/${twice}`;
    expect(await settle(key, '--actor', 'ann')).toMatchObject({ code: 0, json: { difference: key, by: 'ann' } });
    const closed = await month();
    expect(closed).toMatchObject({ code: 0, json: { accounts: [{ differingDays: [], agrees: true }] } });
    expect(closed.json.accounts[0].settled).toMatchObject([{ key, settled: { by: 'ann', reason: 'agreed by mail' } }]);
    const { stdout } = await portalHere(['recharge', 'month', '--month', '2026-02']);
    expect(stdout).toContain('settled: agreed by mail by ann at ');
    expect(stdout).toContain('but for what is settled');
    expect((await portalHere(['recharge', 'day', '--day', DAY])).stdout).toContain(
      'settled: agreed by mail by ann at ',
    );
    await unsettle(key);
    expect(await month()).toMatchObject({ code: 1 });
  });
});

describe('a difference', () => {
  const key = `wechatpay/${MERCHANT}/paid-another-amount/4200-1`;
  const compare = async (orderNo: string, fen: number) => reconcile(DAY, [{ orderNo, id: '4200-1', fen }]);

  test('has one name in each comparison, and is settled under it with its row of the operator log', async () => {
    const orderNo = await book(DAY, '12:00:00');
    expect(await compare(orderNo, 500)).toMatchObject({ code: 1, json: { differences: [{ key }], settled: [] } });
    expect((await compare(orderNo, 500)).json.differences[0].key).toBe(key);
    for (const actor of ['ann', 'bob'])
      expect(await settle(key, '--actor', actor)).toMatchObject({ json: { by: 'ann' } });
    const settled = await compare(orderNo, 500);
    expect(settled).toMatchObject({ code: 0, json: { differences: [], settled: [{ key, settled: { by: 'ann' } }] } });
    expect(await unsettle(key)).toMatchObject({ code: 0, json: { difference: key, settled: false } });
    expect(await unsettle(key)).toMatchObject({ code: 1, stderr: expect.stringContaining('is not settled') });
    expect(await compare(orderNo, 500)).toMatchObject({ code: 1 });
    expect((await logged()).map(([action, actor]) => [action, actor === 'ann'])).toEqual([
      ['recharge.settle', true],
      ['recharge.unsettle', false],
    ]);
  });

  test('is open again when its amounts change, and is settled again with the new ones', async () => {
    const orderNo = await book(DAY, '12:00:00');
    await compare(orderNo, 500);
    await settle(key);
    expect(await compare(orderNo, 400)).toMatchObject({ code: 1, json: { differences: [{ key, billFen: 400 }] } });
    expect(await settle(key)).toMatchObject({ code: 0 });
    expect(await compare(orderNo, 400)).toMatchObject({ code: 0 });
  });

  test('is printed with its name and what to do', async () => {
    const orderNo = await book(DAY, '12:00:00');
    const file = bill(DAY, [{ orderNo, id: '4200-1', fen: 500 }]);
    const argv = ['reconcile', '--provider', 'wechatpay', '--merchant', MERCHANT, '--day', DAY, '--bill', file];
    const { stdout } = await portalHere(['recharge', ...argv]);
    expect(stdout).toContain(`${key})`);
    expect(stdout).toContain('recharge settle-difference --difference NAME');
  });

  test('that no comparison has, or without a reason, is refused', async () => {
    expect(await settle(key)).toMatchObject({ code: 1, stderr: expect.stringContaining('No stored comparison has') });
    await compare(await book(DAY, '12:00:00'), 500);
    for (const reason of [' ', '\ufeff', 'x'.repeat(201), 'a\nb'])
      expect(await run('settle-difference', '--difference', key, '--reason', reason)).toMatchObject({ code: 1 });
    expect(await logged()).toEqual([]);
  });

  test('above the limit is settled by a second person, with the amounts that the first one saw', async () => {
    const orderNo = await book(DAY, '12:00:00');
    await compare(orderNo, 500);
    const limited = { ...process.env, TWO_PERSONS_FEN: '599' };
    const ask = async () => {
      const argv = ['settle-difference', '--difference', key, '--reason', 'x', '--actor', 'ann', '--json'];
      return (await portalHere(['recharge', ...argv], limited)).json.requestId as string;
    };
    const requestId = await ask();
    expect(await compare(orderNo, 500)).toMatchObject({ code: 1 });
    const approve = (actor: string, of = requestId) => run('approve', '--request', of, '--actor', actor);
    expect(await approve('ann')).toMatchObject({ code: 1 });
    expect(await approve('bob')).toMatchObject({
      code: 0,
      json: { kind: 'settle', result: { difference: key, by: 'bob' } },
    });
    expect(await compare(orderNo, 500)).toMatchObject({ code: 0 });
    await unsettle(key);
    const again = await ask();
    await compare(orderNo, 400);
    expect(await approve('bob', again)).toMatchObject({ code: 1, stderr: expect.stringContaining('have changed') });
    expect(await compare(orderNo, 400)).toMatchObject({ code: 1 });
  });

  test('is settled once, wherever the process of the second person ends', async () => {
    const orderNo = await book(DAY, '12:00:00');
    const limited = { ...process.env, TWO_PERSONS_FEN: '1' };
    let rounds = 0;
    await crashBeforeEach(shop.stack, async (dying, n) => {
      rounds = n;
      await compare(orderNo, n);
      const argv = ['settle-difference', '--difference', key, '--reason', 'x', '--actor', 'ann', '--json'];
      const { requestId } = (await portalHere(['recharge', ...argv], limited)).json;
      await dying(() => approveRequest(requestId, 'bob'));
      await approveRequest(requestId, 'bob');
      expect(await compare(orderNo, n)).toMatchObject({ code: 0 });
    });
    expect(rounds).toBeGreaterThan(3);
    expect(await logged()).toHaveLength(rounds);
  });
});
