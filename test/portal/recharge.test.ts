import { randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { portal, portalHere, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
let session: string;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp();
  const body = { account: 'demo', password: 'demo-password-1' };
  session = (await stack.call(app, 'POST', '/login', { body })).body.token;
});

async function order(): Promise<string> {
  const headers = { 'idempotency-key': randomBytes(16).toString('hex') };
  const body = { productId: 'coins-100', provider: 'sandbox' };
  const { body: placed } = await stack.call(app, 'POST', '/recharge', { session, headers, body });
  return placed.orderNo;
}
const balance = async (): Promise<number> => (await stack.call(app, 'GET', '/balance', { session })).body.balance;

describe('portal recharge', () => {
  test('pay pays an order at the sandbox, and its notification credits it once', async () => {
    const before = await balance();
    const orderNo = await order();
    const paid = await portal(['recharge', 'pay', '--order', orderNo, '--json']);
    expect(paid).toMatchObject({ code: 0, json: { orderNo, notified: true, status: 'paid' } });
    await portalJson(['recharge', 'pay', '--order', orderNo]);
    const { order: shown, events, agrees } = await portalJson(['recharge', 'show', '--order', orderNo]);
    expect(await balance()).toBe(before + shown.units);
    expect(events.map(({ what }: { what: string }) => what).sort()).toEqual(['created', 'credited', 'paid']);
    expect(agrees).toBe(true);
  });

  test('list shows the orders of a user who knows no order number, newest first', async () => {
    const [older, newer] = [await order(), await order()];
    const { userId } = await portalJson(['user', 'find', '--account', 'demo']);
    const { orders } = await portalJson(['recharge', 'list', '--user', userId, '--limit', '2']);
    expect(orders).toMatchObject([
      { orderNo: newer, status: 'pending', provider: 'sandbox', appId: app.appId },
      { orderNo: older, status: 'pending' },
    ]);
    expect(await portalHere(['recharge', 'list', '--user', 'demo'])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('user find --account'),
    });
  });

  test('without a notification only sync finds the payment', async () => {
    const orderNo = await order();
    const paid = await portalJson(['recharge', 'pay', '--order', orderNo, '--no-notice']);
    expect(paid).toEqual({ orderNo, notified: false, status: 'pending' });
    expect(await portalJson(['recharge', 'sync', '--order', orderNo])).toMatchObject({ order: { status: 'paid' } });
    expect(await portal(['recharge', 'show', '--order', orderNo])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('credited'),
    });
  });

  test('a refund with one key is made once; the rest can be refunded afterwards, and no more', async () => {
    const orderNo = await order();
    await portalJson(['recharge', 'pay', '--order', orderNo]);
    const before = await balance();
    const refund = (...more: string[]) => portalHere(['recharge', 'refund', '--order', orderNo, '--json', ...more]);
    const first = await refund('--amount-fen', '1', '--key', 'same-key');
    expect(first).toMatchObject({ code: 0, json: { amountFen: 1, status: 'success' } });
    expect((await refund('--amount-fen', '1', '--key', 'same-key')).json).toEqual(first.json);
    const rest = await refund('--reason', 'returned');
    const { order: shown } = await portalJson(['recharge', 'show', '--order', orderNo]);
    expect(shown.status).toBe('refunded');
    expect(rest.json.amountFen).toBe(shown.amountFen - 1);
    expect(before - (await balance())).toBe(shown.units);
    expect(await refund()).toMatchObject({ code: 1, stderr: expect.stringContaining('Nothing is left') });
  });

  test('reconcile reports a payment that is not credited, until sync has credited it', async () => {
    await portalJson(['recharge', 'pay', '--order', await order()]);
    const orderNo = await order();
    const chinaDay = new Date(Date.now() + 8 * 3_600_000).toISOString().slice(0, 10);
    const reconcile = () => portalHere(['recharge', 'reconcile', '--provider', 'sandbox', '--day', chinaDay, '--json']);
    expect(await reconcile()).toMatchObject({ code: 0, json: { differences: [] } });
    await portalJson(['recharge', 'pay', '--order', orderNo, '--no-notice']);
    const differences = [{ what: 'paid, not credited', orderNo }];
    expect(await reconcile()).toMatchObject({ code: 1, json: { differences } });
    await portalJson(['recharge', 'sync', '--order', orderNo]);
    expect(await reconcile()).toMatchObject({ code: 0, json: { differences: [] } });
    const refused = async (...argv: string[]) => {
      const { code, stderr } = await portalHere(['recharge', 'reconcile', ...argv]);
      return [code, stderr];
    };
    const saying = (text: string) => [2, expect.stringContaining(text)];
    const wechatpay = ['--provider', 'wechatpay', '--day', chinaDay];
    expect(await refused('--day', chinaDay, '--bill', '/etc/hostname')).toEqual(saying('--provider'));
    expect(await refused('--provider', 'sandbox', '--day', '2026-02-30')).toEqual(saying('--day takes a day'));
    expect(await refused('--provider', 'sandbox')).toEqual(saying('--day'));
    expect(await refused('--provider', 'sandbox', '--day', '2020-01-01')).toEqual([2, expect.any(String)]);
    expect(await refused(...wechatpay)).toEqual(saying('No merchant is set'));
    expect(await refused(...wechatpay, '--merchant', '1', '--bill', '/etc/hostname')).toEqual(saying('Line 1 is not'));
    expect(await refused(...wechatpay, '--merchant', '1', '--bill', '/nowhere')).toEqual(saying('cannot be read'));
    expect(await refused('--provider', 'xpay', '--day', chinaDay)).toEqual([2, expect.any(String)]);
  });

  test('sandbox-key prints the key that signs notifications', async () => {
    expect(await portalJson(['recharge', 'sandbox-key'])).toEqual({ key: stack.env.SANDBOX_KEY });
  });

  test('a command on an unknown order ends with one sentence', async () => {
    for (const verb of ['pay', 'show', 'sync', 'refund']) {
      const run = await portalHere(['recharge', verb, '--order', 'R0']);
      expect(run, verb).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no order R0') });
    }
  });
});

describe('portal product', () => {
  test('a product is offered at its price while it is on sale', async () => {
    const offered = async (): Promise<Array<{ productId: string }>> =>
      (await stack.call(app, 'GET', '/recharge/params', { session })).body.products;
    const put = ['product', 'put', '--id', 'coins-5', '--title', '五枚', '--amount-fen', '50', '--units', '5'];
    await offered();
    await portalJson(put);
    expect(await offered()).toContainEqual(expect.objectContaining({ productId: 'coins-5', amountFen: 50, units: 5 }));
    await portalJson([...put, '--off']);
    expect((await offered()).map(({ productId }) => productId)).not.toContain('coins-5');
    const { products } = await portalJson(['product', 'list']);
    expect(products).toContainEqual(expect.objectContaining({ productId: 'coins-5', active: false }));
    const free = await portalHere(['product', 'put', '--id', 'x', '--title', 'x', '--amount-fen', '0', '--units', '1']);
    expect(free).toMatchObject({ code: 2 });
  });
});
