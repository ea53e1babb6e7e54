import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { newShopper, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

let shop: Shop;
let wallet: Shopper;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(async () => {
  wallet = await newShopper(shop.stack, shop.app);
  shop.stack.faults.mysql = undefined;
});

const run = (...argv: string[]) => portalHere(['recharge', ...argv, '--json']);
const adjust = (amount: string | number, ...more: string[]) =>
  run('adjust', '--app', shop.app.appId, '--user', wallet.userId, `--amount=${amount}`, '--reason', 'gift', ...more);
const logged = async (): Promise<string[]> => {
  const { entries } = await portalJson(['operator-log', 'list', '--subject', `${shop.app.appId}/${wallet.userId}`]);
  return entries.map(({ action, actor }: { action: string; actor: string }) => `${action} ${actor}`);
};

describe('recharge adjust', () => {
  test('moves units up and down by one entry each, with one row in the operator log', async () => {
    expect(await adjust(50, '--actor', 'ann')).toMatchObject({ code: 0, json: { amount: 50, balance: 50 } });
    expect(await adjust(-20, '--actor', 'ann')).toMatchObject({ code: 0, json: { amount: -20, balance: 30 } });
    expect(await wallet.balance()).toBe(30);
    expect((await wallet.get('/balance/entries')).body.entries).toMatchObject([
      { kind: 'adjust', delta: -20, balanceAfter: 30, reason: 'gift' },
      { kind: 'adjust', delta: 50, balanceAfter: 50, reason: 'gift' },
    ]);
    expect(await logged()).toEqual(['recharge.adjust ann', 'recharge.adjust ann']);
    expect((await auditLedger()).findings).toEqual([]);
  });

  test.each(['0', '-0', '1.5', '1e3', 'many', '9007199254740992', '1000000001', '-1000000001', ''])(
    'refuses the amount %j',
    async (amount) => {
      expect(await adjust(amount)).toMatchObject({ code: 2 });
      expect(await wallet.balance()).toBe(0);
    },
  );

  test('refuses a reason that is empty or too long, an unknown user, app, and a user that is erased', async () => {
    const of = (app: string, user: string, reason: string) =>
      run('adjust', '--app', app, '--user', user, '--amount', '1', '--reason', reason);
    const { appId } = shop.app;
    expect(await of(appId, wallet.userId, '')).not.toMatchObject({ code: 0 });
    for (const reason of ['x'.repeat(201), ' ', '\ufeff', '\u3164'])
      expect(await of(appId, wallet.userId, reason)).toMatchObject({ code: 1 });
    expect(await of(appId, 'nobody', 'x')).toMatchObject({ stderr: expect.stringContaining('no user nobody') });
    expect(await of('none', wallet.userId, 'x')).toMatchObject({ stderr: expect.stringContaining('no app none') });
    await shop.stack.mysql.query('UPDATE users SET erased_at = NOW(3) WHERE user_id = ?', [wallet.userId]);
    expect(await of(appId, wallet.userId, 'x')).toMatchObject({ code: 1, stderr: expect.stringContaining('erased') });
    expect(await logged()).toEqual([]);
  });

  test('makes no debt, unless --allow-debt says so', async () => {
    await adjust(5);
    expect(await adjust(-6)).toMatchObject({ code: 1, stderr: expect.stringContaining('has 5 units available') });
    expect(await wallet.balance()).toBe(5);
    expect(await adjust(-6, '--allow-debt')).toMatchObject({ code: 0, json: { balance: -1 } });
    expect(await adjust(1)).toMatchObject({ code: 0, json: { balance: 0 } });
  });

  test('typed twice adjusts once, also at the same moment; --again makes one more', async () => {
    await Promise.all(Array.from({ length: 6 }, () => adjust(7)));
    expect(await wallet.balance()).toBe(7);
    expect(await adjust(7)).toMatchObject({ code: 1, stderr: expect.stringContaining('--again') });
    expect(await adjust(7, '--again')).toMatchObject({ code: 0, json: { balance: 14 } });
    expect(await logged()).toHaveLength(2);
  });

  test('adjusts once, with one row in the log, when the answer to its COMMIT is lost', async () => {
    let lost = 0;
    shop.stack.faults.mysql = ({ sql }) => (sql === 'COMMIT' && lost++ === 0 ? { kind: 'drop-after' } : undefined);
    expect(await adjust(7)).toMatchObject({ code: 0, json: { balance: 7 } });
    shop.stack.faults.mysql = undefined;
    expect(await logged()).toHaveLength(1);
  });
});
