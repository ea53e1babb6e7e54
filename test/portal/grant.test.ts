import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { grant as grantByServer } from '../../shared/recharge/grant.ts';
import { grantByOperator } from '../../shared/recharge/operator-grant.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { newKey, newShopper, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

let shop: Shop;
let wallet: Shopper;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(async () => {
  wallet = await newShopper(shop.stack, shop.app);
  shop.stack.faults.mysql = undefined;
});

const END = '2037-01-31T23:59:59+08:00';
const run = (argv: string[], env?: NodeJS.ProcessEnv) => portalHere(['recharge', ...argv, '--json'], env);
const argv = (amount: string | number, ...more: string[]) => [
  ...['grant', '--app', shop.app.appId, '--user', wallet.userId, `--amount=${amount}`, '--reason', 'gift', ...more],
];
const grant = (amount: string | number, ...more: string[]) => run(argv(amount, ...more));
const entries = async () => (await wallet.get('/balance/entries')).body.entries;
const logged = async (): Promise<string[]> => {
  const { entries } = await portalJson(['operator-log', 'list', '--subject', `${shop.app.appId}/${wallet.userId}`]);
  return entries.map(({ action, actor }: { action: string; actor: string }) => `${action} ${actor}`).reverse();
};

describe('recharge grant', () => {
  test('gives units with an end and without one, with one row each in the operator log', async () => {
    expect(await grant(50, '--actor', 'ann')).toMatchObject({ code: 0, json: { amount: 50, balance: 50 } });
    const withEnd = await grant(20, '--expires-at', END, '--actor', 'ann');
    expect(withEnd).toMatchObject({ code: 0, json: { amount: 20, balance: 70, expiresAt: END } });
    expect(await wallet.balance()).toBe(70);
    expect(await entries()).toMatchObject([
      { kind: 'grant', delta: 20, reason: 'gift', expiresAt: '2037-01-31T15:59:59.000Z' },
      { kind: 'grant', delta: 50, reason: 'gift' },
    ]);
    expect((await entries())[1]).not.toHaveProperty('expiresAt');
    expect(await logged()).toEqual(['recharge.grant ann', 'recharge.grant ann']);
    expect((await auditLedger()).findings).toEqual([]);
  });

  test.each(['0', '-5', '1.5', '1e3', 'many', '9007199254740992', '1000000001', ''])(
    'refuses the amount %j',
    async (amount) => {
      expect(await grant(amount)).toMatchObject({ code: 2 });
      expect(await wallet.balance()).toBe(0);
    },
  );

  test.each([
    ...['tomorrow', '2037-02-30T00:00:00Z', '2037-01-01', '2037-01-01T00:00:00', '2038-01-01T00:00:00Z'],
    ...['2037-13-01T00:00:00Z', '2020-01-01T00:00:00Z', '2037-01-01T25:00:00Z'],
  ])('refuses the end %j', async (end) => {
    expect(await grant(5, '--expires-at', end)).toMatchObject({ code: 1, stderr: expect.stringContaining('The end') });
    expect([await entries(), await logged()]).toEqual([[], []]);
  });

  test('refuses a reason that is empty or too long, an unknown user, app, and a user that is erased', async () => {
    const of = (app: string, user: string, reason: string) =>
      run(['grant', '--app', app, '--user', user, '--amount', '1', '--reason', reason]);
    const { appId } = shop.app;
    expect(await of(appId, wallet.userId, '')).not.toMatchObject({ code: 0 });
    for (const reason of ['x'.repeat(201), ' ', '\ufeff'])
      expect(await of(appId, wallet.userId, reason)).toMatchObject({ code: 1 });
    expect(await of(appId, wallet.userId, 'a\u0007b')).toMatchObject({ code: 1 });
    expect(await of(appId, 'nobody', 'x')).toMatchObject({ stderr: expect.stringContaining('no user nobody') });
    expect(await of('none', wallet.userId, 'x')).toMatchObject({ stderr: expect.stringContaining('no app none') });
    await shop.stack.mysql.query('UPDATE users SET erased_at = NOW(3) WHERE user_id = ?', [wallet.userId]);
    expect(await of(appId, wallet.userId, 'x')).toMatchObject({ code: 1, stderr: expect.stringContaining('erased') });
    expect(await logged()).toEqual([]);
  });

  test('typed twice grants once, also at the same moment; --again makes one more, and grants of servers do not count', async () => {
    await grantByServer(shop.app.appId, wallet.userId, newKey(), { amount: 7, reason: 'bonus' });
    await Promise.all(Array.from({ length: 6 }, () => grant(7)));
    expect(await wallet.balance()).toBe(14);
    expect(await grant(7)).toMatchObject({ code: 1, stderr: expect.stringContaining('--again') });
    expect(await grant(7, '--again')).toMatchObject({ code: 0, json: { balance: 21 } });
    expect(await logged()).toHaveLength(2);
  });

  test('grants once, with one row in the log, after a crash before each request and after a lost COMMIT', async () => {
    const wanted = { appId: shop.app.appId, userId: wallet.userId, amount: 7, reason: 'gift', expiresAt: END };
    await crashBeforeEach(shop.stack, async (dying, n) => {
      const by = { key: `key:${n}`, actor: 'ann' };
      await dying(() => grantByOperator(wanted, by));
      expect(await grantByOperator(wanted, by)).toMatchObject({ amount: 7, balance: 7 * n });
      expect(await logged()).toHaveLength(n);
    });
    const before = (await logged()).length;
    let lost = 0;
    shop.stack.faults.mysql = ({ sql }) => (sql === 'COMMIT' && lost++ === 0 ? { kind: 'drop-after' } : undefined);
    expect(await grant(9)).toMatchObject({ code: 0 });
    shop.stack.faults.mysql = undefined;
    expect([lost > 0, (await logged()).length]).toEqual([true, before + 1]);
    expect((await auditLedger()).findings).toEqual([]);
  });
});

describe('a grant above the limit', () => {
  const limited = () => ({ ...process.env, TWO_PERSONS_UNITS: '50' });
  const approve = (requestId: string, actor: string) =>
    run(['approve', '--request', requestId, '--actor', actor], limited());

  test('moves nothing before another person approves it, and then is given once, with its end', async () => {
    const asked = await run(argv(51, '--expires-at', END, '--actor', 'ann'), limited());
    expect(asked).toMatchObject({ code: 0, json: { status: 'open', kind: 'grant' } });
    const { requestId } = asked.json;
    expect(await approve(requestId, 'ann')).toMatchObject({ code: 1 });
    expect(await wallet.balance()).toBe(0);
    for (let i = 0; i < 2; i++)
      expect(await approve(requestId, 'ben')).toMatchObject({ code: 0, json: { result: { amount: 51, balance: 51 } } });
    expect(await entries()).toMatchObject([{ kind: 'grant', delta: 51, expiresAt: '2037-01-31T15:59:59.000Z' }]);
    expect(await logged()).toEqual(['recharge.request ann', 'recharge.grant ben', 'recharge.approve ben']);
  });

  test('whose end passed before it was approved is refused, and can be rejected', async () => {
    const { requestId } = (await run(argv(60, '--expires-at', END, '--actor', 'ann'), limited())).json;
    await shop.stack.mysql.query("UPDATE money_requests SET detail = REPLACE(detail, '2037', '2020')");
    const refused = await approve(requestId, 'ben');
    expect(refused).toMatchObject({ code: 1, stderr: expect.stringContaining('is past') });
    expect(await wallet.balance()).toBe(0);
    expect(await run(['reject', '--request', requestId])).toMatchObject({ code: 0, json: { status: 'rejected' } });
  });
});
