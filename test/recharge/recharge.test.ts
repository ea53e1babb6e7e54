import { beforeAll, describe, expect, test } from 'vitest';
import { atTime, wholeSecond } from '../support/clock.ts';
import { newKey, newShopper, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

let shop: Shop;
let shopper: Shopper;
beforeAll(async () => {
  shop = await openShop();
});

async function placeOrder(): Promise<string> {
  shopper = await shop.shopper();
  return (await shopper.create()).body.orderNo;
}

describe('placing an order', () => {
  test('the parameters list the products with their prices, and the providers', async () => {
    shopper = await shop.shopper();
    expect((await shopper.get('/recharge/params')).body).toEqual({
      products: [
        { productId: 'coins-7', title: '7 coins', amountFen: 100, currency: 'CNY', units: 7, asset: 'coin' },
        { productId: 'coins-60', title: '60 coins', amountFen: 600, currency: 'CNY', units: 60, asset: 'coin' },
      ],
      providers: ['sandbox'],
    });
  });

  test('an order is pending, has the price of the catalogue, and only its owner can read it', async () => {
    shopper = await shop.shopper();
    const created = await shopper.create();
    expect(created).toMatchObject({ status: 201, body: { status: 'pending', payment: {} } });
    const { orderNo } = created.body;
    expect(orderNo).toMatch(/^[0-9A-Z]{32}$/);
    const read = await shopper.get(`/recharge/${orderNo}`);
    expect(read.body).toEqual({
      orderNo,
      status: 'pending',
      productId: 'coins-60',
      amountFen: 600,
      currency: 'CNY',
      units: 60,
      createdAt: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
    });
    const stranger = await shop.shopper();
    const other = await stranger.get(`/recharge/${orderNo}`);
    expect(other).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    expect((await stranger.sync(orderNo)).status).toBe(404);
  });

  test('the same key and body give the same order, and another body is refused', async () => {
    shopper = await shop.shopper();
    const key = newKey();
    const answers = await Promise.all(Array.from({ length: 10 }, () => shopper.create(key)));
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([201]));
    expect(new Set(answers.map(({ body }) => body.orderNo)).size).toBe(1);
    const reused = await shopper.create(key, { productId: 'coins-7', provider: 'sandbox' });
    expect(reused).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
    expect((await shopper.get('/recharge')).body.orders).toHaveLength(1);
  });

  test.each([
    ['no key', undefined],
    ['a short key', 'short'],
    ['a key with other characters', `${newKey()}!`],
  ])('%s is refused', async (_, key) => {
    shopper = await shop.shopper();
    const answer = await shop.stack.call(shop.app, 'POST', '/recharge', {
      session: shopper.session,
      body: { productId: 'coins-60', provider: 'sandbox' },
      ...(key && { headers: { 'idempotency-key': key } }),
    });
    expect(answer).toMatchObject({ status: 400, body: { code: 'MISSING_IDEMPOTENCY_KEY' } });
  });

  test.each([
    { productId: 'no-such', provider: 'sandbox' },
    { productId: 'coins-60', provider: 'no-such' },
    { productId: 'coins-60', provider: 'wechatpay' },
    { productId: 'coins-60', provider: 'sandbox', amountFen: 1 },
    { productId: 'coins-60' },
  ])('%j is invalid input', async (body) => {
    shopper = await shop.shopper();
    expect(await shopper.create(newKey(), body)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
  });

  test('orders and spends with a v1 signature are refused', async () => {
    shopper = await shop.shopper();
    for (const [path, body] of [
      ['/recharge', { productId: 'coins-60', provider: 'sandbox' }],
      ['/balance/spend', { amount: 1 }],
    ] as const) {
      const headers = { 'idempotency-key': newKey() };
      const request = { session: shopper.session, body, headers, signature: 'v1' as const };
      const answer = await shop.stack.call(shop.app, 'POST', path, request);
      expect(answer).toMatchObject({ status: 403, body: { code: 'SIGNATURE_TOO_WEAK' } });
    }
  });
});

describe('a notification of the sandbox', () => {
  test('credits the order once, also when it arrives 50 times', async () => {
    const orderNo = await placeOrder();
    const answers = await Promise.all(Array.from({ length: 50 }, () => shop.notify({ orderNo, more: 'unknown' })));
    expect(answers.map(({ status, text }) => `${status}${text}`)).toEqual(new Array(50).fill('204'));
    expect(await shopper.balance()).toBe(60);
    const { body } = await shopper.get(`/recharge/${orderNo}`);
    expect(body).toMatchObject({ status: 'paid', paidAt: expect.any(String) });
    expect((await shopper.get('/balance/entries')).body.entries).toHaveLength(1);
  });

  test('of a failed payment changes nothing', async () => {
    const orderNo = await placeOrder();
    expect((await shop.notify({ orderNo, status: 'PAYERROR' })).status).toBe(204);
    expect((await shop.notify({ orderNo: 'unknown', status: 'CLOSED' })).status).toBe(204);
    expect(await shopper.balance()).toBe(0);
  });

  test('of an unknown order or provider is 404', async () => {
    expect(await shop.notify({ orderNo: 'R234' })).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    for (const provider of ['nobody', 'wechatpay', 'constructor']) {
      const answer = await shop.stack.send('POST', `/recharge/notify/${provider}`, {}, '{}');
      expect(answer).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } });
    }
  });

  test.each([
    ['another amount', { amountFen: 599 }],
    ['a negative amount', { amountFen: -600 }],
    ['another currency', { currency: 'USD' }],
  ])('with %s is a mismatch, before and after the payment', async (_, difference) => {
    const orderNo = await placeOrder();
    const mismatch = { status: 409, body: { code: 'NOTICE_MISMATCH' } };
    expect(await shop.notify({ orderNo, ...difference })).toMatchObject(mismatch);
    expect(await shopper.balance()).toBe(0);
    expect((await shop.notify({ orderNo })).status).toBe(204);
    expect(await shop.notify({ orderNo, ...difference })).toMatchObject(mismatch);
    expect(await shopper.balance()).toBe(60);
  });

  test('with the transaction of another order is a mismatch', async () => {
    const first = await placeOrder();
    expect((await shop.notify({ orderNo: first, transactionId: 'tx-shared' })).status).toBe(204);
    const second = (await shopper.create()).body.orderNo;
    const answer = await shop.notify({ orderNo: second, transactionId: 'tx-shared' });
    expect(answer).toMatchObject({ status: 409, body: { code: 'NOTICE_MISMATCH' } });
    expect(await shopper.balance()).toBe(60);
    expect((await shopper.get(`/recharge/${second}`)).body.status).toBe('pending');
  });

  test('of a second payment for a paid order is a mismatch: the order was credited once', async () => {
    const orderNo = await placeOrder();
    expect((await shop.notify({ orderNo, transactionId: 'tx-first' })).status).toBe(204);
    for (let i = 0; i < 2; i++) {
      const second = await shop.notify({ orderNo, transactionId: 'tx-second' });
      expect(second).toMatchObject({ status: 409, body: { code: 'NOTICE_MISMATCH' } });
    }
    expect(await shopper.balance()).toBe(60);
    expect((await shop.notify({ orderNo, transactionId: 'tx-first' })).status).toBe(204);
  });

  test('with a wrong, missing, old or early signature is refused', async () => {
    const orderNo = await placeOrder();
    const at = wholeSecond();
    const notifyAt = (timestamp: number) => atTime(at, () => shop.notify({ orderNo }, { timestamp }));
    const refused = { status: 401, body: { code: 'BAD_NOTIFY_SIGNATURE' } };
    expect(await shop.notify({ orderNo }, { signature: 'f'.repeat(64) })).toMatchObject(refused);
    expect(await shop.notify({ orderNo }, { signature: '' })).toMatchObject(refused);
    expect(await notifyAt(at / 1000 - 301)).toMatchObject(refused);
    expect(await notifyAt(at / 1000 + 301)).toMatchObject(refused);
    expect(await shop.stack.send('POST', '/recharge/notify/sandbox', {}, '{}')).toMatchObject(refused);
    expect((await notifyAt(at / 1000 - 300)).status).toBe(204);
    expect((await notifyAt(at / 1000 + 300)).status).toBe(204);
  });

  test('over 64 KiB is too large, and a malformed one is invalid input', async () => {
    expect((await shop.notify({ orderNo: 'R', more: 'x'.repeat(70_000) })).status).toBe(413);
    for (const bad of [{ orderNo: 7 }, { orderNo: 'R', amountFen: '600' }, { orderNo: 'R', transactionId: '' }]) {
      expect(await shop.notify(bad)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    }
  });
});

describe('spending', () => {
  test('takes units once per key, and repeats its answer after the balance is used up', async () => {
    await shop.notify({ orderNo: await placeOrder() });
    const key = newKey();
    const first = await shopper.spend(60, key, 'a hat');
    expect(first).toMatchObject({ status: 201, body: { balance: 0, asset: 'coin', ref: expect.any(String) } });
    expect((await shopper.spend(60, key, 'a hat')).body).toEqual(first.body);
    expect(await shopper.spend(60, key)).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
    expect(await shopper.spend(1)).toMatchObject({ status: 409, body: { code: 'INSUFFICIENT_BALANCE' } });
    expect(await shopper.balance()).toBe(0);
  });

  test('never takes a balance below zero, also with 30 calls at once', async () => {
    await shop.notify({ orderNo: await placeOrder() });
    const answers = await Promise.all(Array.from({ length: 30 }, () => shopper.spend(7)));
    expect(answers.filter(({ status }) => status === 201)).toHaveLength(8);
    expect(answers.filter(({ status }) => status === 409)).toHaveLength(22);
    expect(await shopper.balance()).toBe(4);
  });

  test.each([0, -1, 1.5, '5', null, 2 ** 53])('an amount of %j is invalid input', async (amount) => {
    shopper = await shop.shopper();
    expect(await shopper.spend(amount)).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
  });

  test('is refused for a user of another app who has bought nothing', async () => {
    await shop.notify({ orderNo: await placeOrder() });
    const elsewhere = await newShopper(shop.stack, await shop.stack.createApp());
    expect(await elsewhere.spend(1)).toMatchObject({ status: 409 });
    expect(await elsewhere.balance()).toBe(0);
  });
});

describe('the lists of entries and orders', () => {
  test('give each record once over several pages, newest first', async () => {
    shopper = await shop.shopper();
    for (let i = 0; i < 5; i++) await shop.notify({ orderNo: (await shopper.create()).body.orderNo });
    for (const [path, member] of [
      ['/balance/entries', 'entries'],
      ['/recharge', 'orders'],
    ] as const) {
      const all = (await shopper.get(path)).body;
      expect(all.next).toBeUndefined();
      const first = (await shopper.get(path, 'limit=2')).body;
      const second = (await shopper.get(path, `limit=2&after=${first.next}`)).body;
      const third = (await shopper.get(path, `limit=2&after=${second.next}`)).body;
      expect([...first[member], ...second[member], ...third[member]]).toEqual(all[member]);
      expect(third.next).toBeUndefined();
      expect((await shopper.get(path, 'after=bm9uc2Vuc2U')).status).toBe(400);
      expect((await shopper.get(path, 'limit=101')).status).toBe(400);
    }
    const { entries } = (await shopper.get('/balance/entries')).body;
    expect(entries[0]).toEqual({
      seq: 5,
      kind: 'recharge',
      delta: 60,
      balanceAfter: 300,
      ref: expect.stringMatching(/^R/),
      createdAt: expect.any(String),
    });
  });
});
