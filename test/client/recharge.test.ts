import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { createClient, wxPayment, wxTransport } from '../../client/miniapp-client.ts';
import { app, problem, type ReceivedCall, type ScriptedAnswer, startServer } from '../support/client-server.ts';
import { type WxStandIn, wxStandIn } from '../support/client-wx.ts';

const input = { productId: 'coins-100', provider: 'wechatpay' };
const lost: ScriptedAnswer = { status: 0, drop: true };
const created = (orderNo: string): ScriptedAnswer => ({
  status: 201,
  body: { orderNo, status: 'pending', payment: { package: `prepay_id=${orderNo}` } },
});
const order = (status: string): ScriptedAnswer => ({ status: 200, body: { orderNo: 'o', status } });

let server: Awaited<ReturnType<typeof startServer>>;
let wx: WxStandIn;
let onCreate: (call: ReceivedCall) => ScriptedAnswer;
let onSync: ScriptedAnswer[];
let onSpend: ScriptedAnswer[];
let waits: number[];

beforeEach(async () => {
  wx = wxStandIn();
  waits = [];
  onSync = [];
  onSpend = [];
  server = await startServer((call) => {
    if (call.url === '/login') return { status: 200, body: { token: `s1.${JSON.parse(call.body).account}.secret` } };
    if (call.url === '/recharge') return onCreate(call);
    if (call.url === '/balance/spend') return onSpend.shift() ?? lost;
    return onSync.shift() ?? order('pending');
  });
});
afterEach(() => server.close());

/** Opens the mini-program on this phone and logs in. */
async function open(account = 'user-1') {
  const client = createClient({
    ...app,
    baseUrl: server.url,
    transport: wxTransport(wx),
    wait: async (milliseconds) => {
      waits.push(milliseconds);
    },
  });
  await client.login({ account, password: 'demo-password-1' });
  return client;
}
const keys = (url = '/recharge') =>
  server.calls.filter((call) => call.url === url).map((call) => call.headers['idempotency-key']);
const syncs = () => server.calls.filter((call) => call.url.endsWith('/sync')).length;
interface SheetOptions {
  package: string;
  success(): void;
  fail(failure: { errMsg: string }): void;
}
const paymentSheet = (failure?: string) => {
  const shown: unknown[] = [];
  const requestPayment = wxPayment({
    requestPayment: (options) => {
      const { package: shownPackage, success, fail } = options as SheetOptions;
      shown.push(shownPackage);
      if (failure === undefined) success();
      else fail({ errMsg: failure });
    },
  });
  return { shown, requestPayment };
};

describe('a recharge', () => {
  it('keeps its key after a lost answer, also over a restart, and gets a new key after a known outcome', async () => {
    onCreate = () => lost;
    await expect((await open()).recharge(input)).rejects.toMatchObject({ code: 'NETWORK', status: 0 });
    onCreate = () => problem(503, 'UNAVAILABLE');
    await expect((await open()).recharge(input)).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    onCreate = () => created('o1');
    const client = await open();
    expect((await client.recharge(input)).orderNo).toBe('o1');
    await client.recharge(input);
    const [first, second, third, fourth] = keys();
    expect(first).toMatch(/^[0-9a-f]{32}$/);
    expect([second, third]).toEqual([first, first]);
    expect(fourth).not.toBe(first);
  });

  it('keeps its key after refusals that leave the outcome of an earlier try unknown', async () => {
    const client = await open();
    onCreate = () => lost;
    await client.recharge(input).catch(() => undefined);
    for (const code of ['LOCKED', 'SCOPE_DENIED', 'INTERNAL', 'BODY_HASH_MISMATCH']) {
      onCreate = () => problem(400, code);
      await client.recharge(input).catch(() => undefined);
    }
    expect(new Set(keys()).size).toBe(1);
    onCreate = () => problem(422, 'IDEMPOTENCY_KEY_REUSED');
    await client.recharge(input).catch(() => undefined);
    await client.recharge(input).catch(() => undefined);
    expect(new Set(keys()).size).toBe(2);
  });

  it('sends the login code for virtual payment, and a retry with a new code keeps the key', async () => {
    const virtual = { productId: 'coins-100', provider: 'xpay' };
    onCreate = () => lost;
    const client = await open();
    await client.recharge({ ...virtual, code: 'code-1' }).catch(() => undefined);
    onCreate = () => created('o1');
    await client.recharge({ ...virtual, code: 'code-2' });
    const calls = server.calls.filter(({ url }) => url === '/recharge');
    expect(JSON.parse(calls.at(-1)?.body ?? '')).toEqual({ ...virtual, code: 'code-2' });
    expect(new Set(keys()).size).toBe(1);
  });

  it('of another product or another user on the same phone has its own key', async () => {
    onCreate = () => lost;
    const client = await open('user-1');
    await client.recharge(input).catch(() => undefined);
    await client.recharge({ ...input, productId: 'coins-200' }).catch(() => undefined);
    const other = await open('user-2');
    await other.recharge(input).catch(() => undefined);
    expect(new Set(keys()).size).toBe(3);
    expect([...wx.stored.values()].every((value) => /^[0-9a-f]{32}$|^s1\./.test(value))).toBe(true);
  });

  it('that is tapped twice uses one key', async () => {
    onCreate = () => created('o1');
    const client = await open();
    await Promise.all([client.recharge(input), client.recharge(input)]);
    expect(new Set(keys()).size).toBe(1);
  });

  it('is not sent when its key cannot be stored or nobody is logged in', async () => {
    const client = await open();
    wx.setStorageSync = () => {
      throw new Error('setStorageSync:fail exceed storage max size');
    };
    await expect(client.recharge(input)).rejects.toThrow('exceed storage');
    wx.stored.clear();
    await expect(client.recharge(input)).rejects.toMatchObject({ code: 'LOGIN_REQUIRED' });
    expect(keys()).toEqual([]);
  });
});

describe('the pay flow', () => {
  beforeEach(() => {
    onCreate = (call) => created(`o-${call.headers['idempotency-key']}`);
  });

  it('shows the payment sheet, then asks the server until the order is paid', async () => {
    onSync = [order('pending'), problem(503, 'UNAVAILABLE', { retryable: true }), order('paid')];
    const { shown, requestPayment } = paymentSheet();
    const result = await (await open()).pay(input, requestPayment);
    expect(result).toMatchObject({ order: { status: 'paid' }, paymentFailure: null });
    expect(shown).toEqual([`prepay_id=o-${keys()[0]}`]);
    expect(waits).toEqual([1000, 2000]);
    expect([...wx.stored.keys()].filter((key) => key.includes(':pay:'))).toEqual([]);
  });

  it('reports an order as pending when the sheet succeeded and the server does not confirm the payment', async () => {
    const result = await (await open()).pay(input, paymentSheet().requestPayment);
    expect(result.order.status).toBe('pending');
    expect(syncs()).toBe(5);
  });

  it('asks the server once after a cancel, and the next call continues the same order', async () => {
    const client = await open();
    const cancelled = await client.pay(input, paymentSheet('requestPayment:fail cancel').requestPayment);
    expect(cancelled).toMatchObject({ order: { status: 'pending' }, paymentFailure: 'requestPayment:fail cancel' });
    expect(syncs()).toBe(1);
    onSync = [order('pending'), order('paid')];
    expect((await client.pay(input, paymentSheet().requestPayment)).order.status).toBe('paid');
    expect(new Set(keys()).size).toBe(1);
  });

  it('does not show the sheet again for an order that was paid while the mini-program was closed', async () => {
    await (await open()).pay(input, paymentSheet('killed').requestPayment);
    onSync = [order('paid')];
    const { shown, requestPayment } = paymentSheet();
    expect((await (await open()).pay(input, requestPayment)).order.status).toBe('paid');
    expect(shown).toEqual([]);
  });

  it('starts a new order when the earlier one was closed', async () => {
    await (await open()).pay(input, paymentSheet('killed').requestPayment);
    onSync = [order('closed'), order('paid')];
    expect((await (await open()).pay(input, paymentSheet().requestPayment)).order.status).toBe('paid');
    expect(keys().map((key) => key === keys()[0])).toEqual([true, true, false]);
  });

  it('of the next user is another payment, and that of the former user ends with USER_CHANGED', async () => {
    onCreate = (call) => created(`order-${call.headers['idempotency-key']}`);
    const client = await open('user-1');
    let close = (): void => undefined;
    const former = client.pay(input, () => new Promise((resolve) => (close = () => resolve({}))));
    while (keys().length === 0) await new Promise((resolve) => setImmediate(resolve));
    await client.login({ account: 'user-2', password: 'demo-password-1' });
    onSync = [order('paid')];
    const sheet = paymentSheet();
    expect((await client.pay(input, sheet.requestPayment)).order.status).toBe('paid');
    expect(sheet.shown).toHaveLength(1);
    close();
    await expect(former).rejects.toMatchObject({ code: 'USER_CHANGED' });
    expect([new Set(keys()).size, syncs()]).toEqual([2, 1]);
  });

  it('that is tapped twice creates one order and shows one sheet', async () => {
    onSync = [order('paid')];
    const client = await open();
    const { shown, requestPayment } = paymentSheet();
    const [a, b] = await Promise.all([client.pay(input, requestPayment), client.pay(input, requestPayment)]);
    expect(a).toBe(b);
    expect([shown.length, keys().length]).toEqual([1, 1]);
  });
});

describe('spending', () => {
  const purchase = { amount: 30, reason: 'sword' };
  const done: ScriptedAnswer = { status: 201, body: { balance: 70, asset: 'coins', ref: 'r' } };

  const item = { itemId: 'hat', quantity: 2 };
  const sent = () => server.calls.filter(({ url }) => url === '/balance/spend').map(({ body }) => JSON.parse(body));

  it.each([
    ['an amount', purchase],
    ['an item', item],
  ])('of %s keeps its key after a lost answer and gets a new key after a known outcome', async (_, input) => {
    onSpend = [lost, done, done, problem(409, 'INSUFFICIENT_BALANCE'), lost];
    const client = await open();
    for (let i = 0; i < 5; i++) await client.spend(input).catch(() => undefined);
    const [first, second, third, fourth, fifth] = keys('/balance/spend');
    expect(second).toBe(first);
    expect(new Set([first, third, fourth, fifth]).size).toBe(4);
    expect(sent()).toEqual(Array.from({ length: 5 }, () => input));
  });

  it('of another item, or of another quantity, has its own key, and the order of the members does not matter', async () => {
    const client = await open();
    const inputs = [item, { quantity: 2, itemId: 'hat' }, { itemId: 'hat' }, { itemId: 'sword', quantity: 2 }];
    for (const input of inputs) await client.spend(input).catch(() => undefined);
    const [first, same, ...others] = keys('/balance/spend');
    expect(same).toBe(first);
    expect(new Set([first, ...others]).size).toBe(3);
  });

  it('of an item that was refused for now keeps its key: an earlier try may have taken effect', async () => {
    onSpend = [lost, problem(403, 'SCOPE_DENIED'), problem(503, 'UNAVAILABLE'), done];
    for (let i = 0; i < 4; i++) await (await open()).spend(item).catch(() => undefined);
    expect(new Set(keys('/balance/spend')).size).toBe(1);
  });

  it('uses a key that the caller gives', async () => {
    onSpend = [done];
    await (await open()).spend(purchase, 'order-of-the-shop-0001');
    expect(keys('/balance/spend')).toEqual(['order-of-the-shop-0001']);
    expect(wx.stored.size).toBe(1);
  });
});
