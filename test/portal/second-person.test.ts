import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { MOVEMENTS } from '../../shared/recharge/money-movements.ts';
import { approveRequest } from '../../shared/recharge/money-request.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { newShopper, type Shopper } from '../support/recharge-fixture.ts';
import { openRefundShop, type RefundShop } from '../support/refund-shop.ts';

let world: RefundShop;
let wallet: Shopper;
let unlimited: NodeJS.ProcessEnv;
beforeAll(async () => {
  world = await openRefundShop();
  unlimited = { ...process.env };
  // For all commands of this file, because some of them run at the same moment.
  Object.assign(process.env, { TWO_PERSONS_FEN: '100', TWO_PERSONS_UNITS: '50' });
});
afterAll(() => {
  delete process.env.TWO_PERSONS_FEN;
  delete process.env.TWO_PERSONS_UNITS;
});
beforeEach(async () => {
  wallet = await newShopper(world.shop.stack, world.shop.app);
  world.mock.clearFaults();
  world.shop.stack.faults.mysql = undefined;
});

const run = (...argv: string[]) => portalHere(['recharge', ...argv, '--json']);
const adjust = (amount: string | number, ...more: string[]) =>
  run(
    'adjust',
    '--app',
    world.shop.app.appId,
    '--user',
    wallet.userId,
    `--amount=${amount}`,
    '--reason',
    'gift',
    ...more,
  );
const approve = (requestId: string, actor: string) => run('approve', '--request', requestId, '--actor', actor);
const requestOf = async (requestId: string) => {
  const [rows] = await world.shop.stack.mysql.query('SELECT * FROM money_requests WHERE request_id = ?', [requestId]);
  return (rows as Array<{ status: string; decided_by: string | null }>)[0];
};
const logged = async (subject: string): Promise<string[]> => {
  const { entries } = await portalJson(['operator-log', 'list', '--subject', subject]);
  return entries.map(({ action, actor }: { action: string; actor: string }) => `${action} ${actor}`).reverse();
};
const walletName = () => `${world.shop.app.appId}/${wallet.userId}`;

describe('a movement above the limit', () => {
  test('moves nothing before another person approves it, and then moves once', async () => {
    expect(await adjust(50)).toMatchObject({ code: 0, json: { balance: 50 } });
    const asked = await adjust(51, '--actor', 'ann');
    expect(asked).toMatchObject({ code: 0, json: { status: 'open' } });
    const { requestId } = asked.json;
    expect(asked.json.approve).toBe(`npm run -s portal -- recharge approve --request ${requestId} --actor NAME`);
    expect((await adjust(51, '--actor', 'ann')).json.requestId).toBe(requestId);
    expect(await wallet.balance()).toBe(50);
    const { requests } = (await run('requests')).json;
    expect(requests).toContainEqual(expect.objectContaining({ requestId, askedBy: 'ann', kind: 'adjust' }));
    expect(await approve(requestId, 'ben')).toMatchObject({
      code: 0,
      json: { status: 'approved', result: { amount: 51 } },
    });
    expect(await approve(requestId, 'ben')).toMatchObject({ code: 0, json: { status: 'approved' } });
    expect(await wallet.balance()).toBe(101);
    const rows = await logged(walletName());
    expect(rows.slice(1)).toEqual(['recharge.request ann', 'recharge.adjust ben', 'recharge.approve ben']);
    expect((await run('requests')).json.requests).not.toContainEqual(expect.objectContaining({ requestId }));
  });

  test('is not approved by the person who asked for it: nothing is written', async () => {
    const { requestId } = (await adjust(60, '--actor', 'Anna Weiß')).json;
    const before = await logged(walletName());
    expect(await approve(requestId, '\u200b ')).toMatchObject({ code: 2 });
    for (const same of ['Anna Weiß', ' anna  WEISS ', 'An\u200bna\u00a0Weiß', 'Ａｎｎａ Weiẞ']) {
      const refused = await approve(requestId, same);
      expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('another person has to approve it') });
    }
    expect(await requestOf(requestId)).toMatchObject({ status: 'open', decided_by: null });
    expect(await wallet.balance()).toBe(0);
    expect(await logged(walletName())).toEqual(before);
  });

  test('is executed once when four persons approve it at the same moment', async () => {
    const { requestId } = (await adjust(60, '--actor', 'ann')).json;
    await Promise.all(['ben', 'cyd', 'dan', 'eve'].map((actor) => approve(requestId, actor)));
    expect(await wallet.balance()).toBe(60);
    const rows = await logged(walletName());
    expect(rows.map((row) => row.split(' ')[0]).sort()).toEqual([
      ...['recharge.adjust', 'recharge.approve', 'recharge.request'],
    ]);
  });

  test('that was rejected moves nothing, and the same command asks again', async () => {
    const { requestId } = (await adjust(60, '--actor', 'ann')).json;
    expect(await run('reject', '--request', requestId, '--actor', 'ann')).toMatchObject({ code: 0 });
    expect(await run('reject', '--request', requestId, '--actor', 'ann')).toMatchObject({ code: 0 });
    expect(await approve(requestId, 'ben')).toMatchObject({ code: 1, stderr: expect.stringContaining('was rejected') });
    expect(await wallet.balance()).toBe(0);
    expect((await adjust(60, '--actor', 'ann')).json.requestId).not.toBe(requestId);
    expect((await logged(walletName())).filter((row) => row.startsWith('recharge.reject'))).toHaveLength(1);
  });

  test('is approved or rejected, and never both, when both are typed at the same moment', async () => {
    for (let i = 0; i < 5; i++) {
      const before = await wallet.balance();
      const { requestId } = (await adjust(60 + i, '--actor', 'ann')).json;
      await Promise.all([approve(requestId, 'ben'), run('reject', '--request', requestId, '--actor', 'cyd')]);
      const { status } = (await requestOf(requestId)) ?? {};
      expect([status, await wallet.balance()]).toEqual([status, status === 'approved' ? before + 60 + i : before]);
      expect(['approved', 'rejected']).toContain(status);
    }
  });

  test('that is refused to one person and made for another one is never rejected afterwards', async () => {
    for (let i = 0; i < 6; i++) {
      await adjust(50, '--again');
      const before = await wallet.balance();
      const amount = -before - 51 - i;
      const { requestId } = (await adjust(amount, '--allow-debt', '--actor', 'ann')).json;
      await world.shop.stack.mysql.query(
        "UPDATE money_requests SET detail = REPLACE(detail, 'true', 'false') WHERE request_id = ?",
        [requestId],
      );
      await Promise.all([
        approve(requestId, 'ben'),
        adjust(50, '--again').then(() => adjust(50, '--again')),
        approve(requestId, 'cyd'),
        run('reject', '--request', requestId, '--actor', 'dan'),
        approve(requestId, 'eve'),
      ]);
      const status = (await requestOf(requestId))?.status;
      const made = (await wallet.balance()) !== before + 100;
      expect([status, made]).toEqual([status, status === 'approved']);
      await run('reject', '--request', requestId);
      await adjust(before + 200, '--again', '--actor', 'zoe').then(({ json }) => approve(json.requestId, 'yan'));
    }
  });

  test('whose request was rejected a moment before moves nothing', async () => {
    const { requestId } = (await adjust(60, '--actor', 'ann')).json;
    await run('reject', '--request', requestId, '--actor', 'cyd');
    // As an approval that read the request just before.
    const detail = { appId: world.shop.app.appId, userId: wallet.userId, amount: 60, reason: 'gift', allowDebt: false };
    await expect(MOVEMENTS.adjust.execute(detail, { actor: 'ben', requestId, askedBy: 'ann' })).rejects.toThrow(
      'was rejected at this moment',
    );
    expect(await wallet.balance()).toBe(0);
    expect(await requestOf(requestId)).toMatchObject({ status: 'rejected', decided_by: 'cyd' });
    const rows = await logged(walletName());
    expect(rows).toEqual(['recharge.request ann', 'recharge.reject cyd']);
  });

  test('is executed once after a crash before each request of its approval, and approved by typing it again', async () => {
    await crashBeforeEach(world.shop.stack, async (dying, n) => {
      const before = await wallet.balance();
      const { requestId } = (await adjust(100 + n, '--actor', 'ann')).json;
      await dying(() => approveRequest(requestId, 'ben'));
      await approveRequest(requestId, 'ben');
      expect(await wallet.balance()).toBe(before + 100 + n);
      expect(await requestOf(requestId)).toMatchObject({ status: 'approved', decided_by: 'ben' });
    });
    const rows = await logged(walletName());
    const count = (action: string) => rows.filter((row) => row.startsWith(action)).length;
    expect(count('recharge.adjust')).toBe(count('recharge.request'));
    expect(count('recharge.approve')).toBe(count('recharge.request'));
  });

  test('that is refused when it is executed stays open, and can be rejected', async () => {
    await adjust(50);
    const { requestId } = (await adjust(-50 - 1, '--allow-debt', '--actor', 'ann')).json;
    await world.shop.stack.mysql.query("UPDATE money_requests SET detail = REPLACE(detail, 'true', 'false')");
    expect(await approve(requestId, 'ben')).toMatchObject({ code: 1, stderr: expect.stringContaining('50 units') });
    expect(await requestOf(requestId)).toMatchObject({ status: 'open' });
    expect(await run('reject', '--request', requestId)).toMatchObject({ code: 0 });
  });

  test('of an unknown number is named', async () => {
    for (const verb of ['approve', 'reject']) {
      expect(await run(verb, '--request', 'Q0')).toMatchObject({
        code: 1,
        stderr: expect.stringContaining('There is no request Q0'),
      });
    }
  });

  test('needs no second person where no limit is set, and a malformed limit is an error', async () => {
    const wallets = ['--app', world.shop.app.appId, '--user', wallet.userId, '--reason', 'x'];
    const argv = ['recharge', 'adjust', ...wallets, '--amount', '900000', '--json'];
    expect(await portalHere(argv, unlimited)).toMatchObject({ code: 0, json: { balance: 900_000 } });
    const malformed = await portalHere([...argv, '--again'], { ...unlimited, TWO_PERSONS_UNITS: '1 000' });
    expect(malformed).toMatchObject({ code: 1, stderr: expect.stringContaining('TWO_PERSONS_UNITS') });
  });
});

describe('refunds above the limit', () => {
  test('are paid back once after the approval of another person, and below the limit at once', async () => {
    const orderNo = await world.paidOrder();
    expect(await run('refund', '--order', orderNo, '--amount-fen', '100')).toMatchObject({
      json: { status: 'processing' },
    });
    const asked = await run(
      'refund',
      '--order',
      orderNo,
      '--amount-fen',
      '101',
      '--reason',
      'broken',
      '--actor',
      'ann',
    );
    expect(asked).toMatchObject({ code: 0, json: { status: 'open', kind: 'refund' } });
    const refunds = () => world.mock.refunds().filter(({ outTradeNo }) => outTradeNo === orderNo);
    expect(refunds()).toHaveLength(1);
    const { requestId } = asked.json;
    expect(await approve(requestId, 'ann')).toMatchObject({ code: 1 });
    expect(await approve(requestId, 'ben')).toMatchObject({ code: 0, json: { result: { status: 'processing' } } });
    expect(await approve(requestId, 'cyd')).toMatchObject({ code: 0 });
    expect(refunds().map(({ refundFen }) => refundFen)).toEqual([100, 101]);
    expect(await logged(orderNo)).toContain('recharge.refund ben');
  });

  test('are refused when they are asked for or approved beyond what is left', async () => {
    const orderNo = await world.paidOrder();
    for (const fen of ['601', '1000000000'])
      expect(await run('refund', '--order', orderNo, '--amount-fen', fen)).toMatchObject({ code: 1 });
    for (const fen of ['0', '1.5', '9007199254740992'])
      expect(await run('refund', '--order', orderNo, '--amount-fen', fen)).toMatchObject({ code: 2 });
    const [one, two] = [
      await run('refund', '--order', orderNo, '--amount-fen', '400', '--actor', 'ann'),
      await run('refund', '--order', orderNo, '--amount-fen', '500', '--actor', 'ann'),
    ];
    expect(await approve(one.json.requestId, 'ben')).toMatchObject({ code: 0 });
    expect(await approve(two.json.requestId, 'ben')).toMatchObject({ code: 1, stderr: expect.stringContaining('200') });
    expect(await requestOf(two.json.requestId)).toMatchObject({ status: 'open' });
  });

  test('that WeChat refuses end with exit code 1, and making them again asks for approval again', async () => {
    const orderNo = await world.paidOrder();
    const { requestId } = (await run('refund', '--order', orderNo, '--actor', 'ann')).json;
    world.mock.setFault({ on: 'refund', kind: 'refuse-refund', code: 'USER_ACCOUNT_ABNORMAL' });
    const approved = await approve(requestId, 'ben');
    expect(approved).toMatchObject({ code: 1, json: { result: { status: 'closed', refusal: 'payer-account' } } });
    const redo = await run('refund-redo', '--refund', approved.json.result.refundNo, '--actor', 'ann');
    expect(redo).toMatchObject({ code: 0, json: { status: 'open' } });
    expect(await approve(redo.json.requestId, 'ben')).toMatchObject({
      code: 0,
      json: { result: { status: 'processing' } },
    });
    expect(await world.findings()).toEqual([]);
  });

  test('and refund-book above it wait for a second person, too', async () => {
    const orderNo = await world.paidOrder();
    world.mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
    const { refundId } = await world.mock.refundAtConsole(orderNo, 600);
    const argv = ['refund-book', '--order', orderNo, '--refund-id', refundId, '--amount-fen', '600'];
    const { requestId } = (await run(...argv, '--actor', 'ann')).json;
    expect(await world.status(orderNo)).toBe('paid');
    expect(await approve(requestId, 'ben')).toMatchObject({ code: 0, json: { result: { origin: 'elsewhere' } } });
    expect(await world.status(orderNo)).toBe('refunded');
    expect(await run(...argv)).toMatchObject({ code: 0, json: { status: 'success' } });
  });
});

test('pay and refund write one row each in the operator log, however often they are repeated', async () => {
  const { orderNo } = (await world.shopper.create()).body;
  for (let i = 0; i < 3; i++) await portalJson(['recharge', 'pay', '--order', orderNo, '--actor', 'ann']);
  for (let i = 0; i < 3; i++)
    await portalJson(['recharge', 'refund', '--order', orderNo, '--key', 'k', '--amount-fen', '100', '--actor', 'ann']);
  await portalJson(['recharge', 'sync', '--order', orderNo, '--actor', 'ann']);
  expect(await logged(orderNo)).toEqual(['recharge.pay ann', 'recharge.refund ann']);
});
