import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { withTransaction } from '../../shared/db.ts';
import { adjust } from '../../shared/recharge/adjust.ts';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { readHolding } from '../../shared/recharge/entry.ts';
import { forfeitUnits } from '../../shared/recharge/forfeit.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { newKey, newShopper, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';
import type { TestAnswer, TestApp } from '../support/stack.ts';

/** A server app works on the wallets of the users of the shop's app. */
let shop: Shop;
let server: TestApp;
let shopper: Shopper;
beforeAll(async () => {
  shop = await openShop();
  server = await shop.stack.createApp({
    scopes: ['wallet:read', 'wallet:write', 'wallet:grant'],
    actsFor: shop.app.appId,
  });
  await shop.stack.mysql.query(
    "INSERT INTO items (item_id, title, amount, active) VALUES ('hat', '帽子', 30, 1), ('old-hat', 'Old hat', 1, 0)",
  );
});
beforeEach(async () => {
  shopper = await shop.shopper();
});

function call(method: string, path: string, body?: object, key?: string): Promise<TestAnswer> {
  const headers = key === undefined ? {} : { headers: { 'idempotency-key': key } };
  return shop.stack.call(server, method, `/wallets/${shopper.userId}${path}`, { ...(body && { body }), ...headers });
}
const grant = (amount: number, more: object = {}, key = newKey()) =>
  call('POST', '/grant', { amount, reason: 'gift', ...more }, key);
const spend = (amount: number, key = newKey(), reason = 'tea') => call('POST', '/spend', { amount, reason }, key);
const hold = (amount: number, seconds = 60, key = newKey()) =>
  call('POST', '/holds', { amount, reason: 'bid', seconds }, key);
const end = (holdId: string, how: 'capture' | 'release', body?: object) =>
  call('POST', `/holds/${holdId}/${how}`, body);
const wallet = async () => (await call('GET', '')).body;
const agrees = async () => expect((await auditLedger()).findings).toEqual([]);

describe('a server app', () => {
  test('grants, reads and spends units of a user, each once for a key', async () => {
    expect(await wallet()).toEqual({ balance: 0, held: 0, available: 0, asset: 'coin' });
    const key = newKey();
    const granted = await grant(100, {}, key);
    expect(granted).toMatchObject({ status: 201, body: { balance: 100, available: 100, asset: 'coin' } });
    const again = await grant(100, {}, key);
    expect(again).toMatchObject({ status: 201, body: granted.body });
    expect([granted, again].map(({ headers }) => headers.get('idempotency-replayed'))).toEqual([null, 'true']);
    expect(await grant(99, {}, key)).toMatchObject({ status: 422, body: { code: 'IDEMPOTENCY_KEY_REUSED' } });
    const spent = await spend(30, key);
    expect(spent).toMatchObject({ status: 201, body: { balance: 70, available: 70, asset: 'coin' } });
    expect(await shopper.balance()).toBe(70);
    expect((await call('GET', '/entries')).body.entries).toHaveLength(2);
    const { body } = await shop.stack.call(server, 'GET', `/wallets/${shopper.userId}/entries`, {
      query: `ref=${spent.body.ref}`,
    });
    expect(body.entries).toMatchObject([{ kind: 'spend', delta: -30, balanceAfter: 70, reason: 'tea' }]);
    await agrees();
  });

  test('is told that a spend is refused, and the same key stays refused after the user has enough', async () => {
    const key = newKey();
    expect(await spend(10, key)).toMatchObject({ status: 409, body: { code: 'INSUFFICIENT_BALANCE' } });
    await grant(100);
    const again = await spend(10, key);
    expect(again).toMatchObject({ status: 409, body: { code: 'INSUFFICIENT_BALANCE' } });
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect((await spend(10)).status).toBe(201);
    expect((await call('GET', '/entries')).body.entries).toHaveLength(2);
    await agrees();
  });

  test('gets 404 for a user who does not exist or was erased, and writes nothing', async () => {
    await shop.stack.mysql.execute('UPDATE users SET erased_at = NOW(3) WHERE user_id = ?', [shopper.userId]);
    const answers = [
      await call('GET', ''),
      await call('GET', '/entries'),
      await grant(1),
      await spend(1),
      await hold(1),
    ];
    expect(answers.map(({ status }) => status)).toEqual([404, 404, 404, 404, 404]);
    const [rows] = await shop.stack.mysql.query('SELECT seq FROM ledger_entries WHERE user_id = ?', [shopper.userId]);
    expect(rows).toEqual([]);
  });

  test('without the scope, or with a signature that covers too little, is refused', async () => {
    const reader = await shop.stack.createApp({ scopes: ['wallet:read'], actsFor: shop.app.appId });
    const path = `/wallets/${shopper.userId}/spend`;
    const body = { amount: 1, reason: 'tea' };
    const headers = { 'idempotency-key': newKey() };
    expect(await shop.stack.call(reader, 'POST', path, { body, headers })).toMatchObject({
      status: 403,
      body: { code: 'SCOPE_DENIED' },
    });
  });

  test('that acts for no other app has wallets of its own', async () => {
    await grant(50);
    const other = await shop.stack.createApp({ scopes: ['wallet:read'] });
    const { body } = await shop.stack.call(other, 'GET', `/wallets/${shopper.userId}`);
    expect(body).toEqual({ balance: 0, held: 0, available: 0, asset: 'coin' });
  });

  test.each([
    ['no units', { amount: 0, reason: 'x' }],
    ['negative units', { amount: -1, reason: 'x' }],
    ['a part of a unit', { amount: 1.5, reason: 'x' }],
    ['units beyond exact numbers', { amount: 2 ** 53, reason: 'x' }],
    ['no reason', { amount: 1 }],
    ['a reason of one space', { amount: 1, reason: ' ' }],
    ['a reason that nobody sees', { amount: 1, reason: '\ufeff\u200b' }],
  ])('cannot spend, grant or hold %s', async (_, body) => {
    for (const [path, more] of [
      ['/spend', {}],
      ['/grant', {}],
      ['/holds', { seconds: 9 }],
    ] as const) {
      expect(await call('POST', path, { ...body, ...more }, newKey())).toMatchObject({ status: 400 });
    }
    expect(await wallet()).toMatchObject({ balance: 0, held: 0 });
  });
});

describe('a hold', () => {
  test('keeps units that nobody can spend, and a capture takes a part and releases the rest', async () => {
    await grant(100);
    const held = await hold(60);
    expect(held).toMatchObject({ status: 201, body: { status: 'held', amount: 60, captured: 0, available: 40 } });
    expect(await wallet()).toMatchObject({ balance: 100, held: 60, available: 40 });
    expect((await shopper.get('/balance')).body).toEqual({ balance: 100, available: 40, asset: 'coin' });
    expect(await spend(41)).toMatchObject({ status: 409 });
    expect((await shopper.spend(41)).status).toBe(409);
    const { holdId } = held.body;
    const captured = await end(holdId, 'capture', { amount: 45 });
    expect(captured).toMatchObject({ status: 200, body: { holdId, status: 'captured', amount: 60, captured: 45 } });
    expect((await end(holdId, 'capture', { amount: 45 })).body).toEqual(captured.body);
    for (const again of [end(holdId, 'capture', { amount: 44 }), end(holdId, 'capture'), end(holdId, 'release')]) {
      expect(await again).toMatchObject({ status: 409, body: { code: 'HOLD_ENDED' } });
    }
    expect(await wallet()).toMatchObject({ balance: 55, held: 0, available: 55 });
    await agrees();
  });

  test('is placed once for a key, refused when the units are not there, and stays refused', async () => {
    const key = newKey();
    expect(await hold(10, 60, key)).toMatchObject({ status: 409, body: { code: 'INSUFFICIENT_BALANCE' } });
    await grant(25);
    expect(await hold(10, 60, key)).toMatchObject({ status: 409 });
    const second = newKey();
    const [first, again] = [await hold(20, 60, second), await hold(20, 60, second)];
    expect(again.body).toEqual(first.body);
    expect(again.headers.get('idempotency-replayed')).toBe('true');
    expect(await hold(20)).toMatchObject({ status: 409 });
    expect(await wallet()).toMatchObject({ balance: 25, held: 20 });
    await end(first.body.holdId, 'release');
    expect(await end(first.body.holdId, 'release')).toMatchObject({ status: 200, body: { status: 'released' } });
    await agrees();
  });

  test('of another user, another app or nobody is not found, and more than is held is not taken', async () => {
    await grant(10);
    const { holdId } = (await hold(10)).body;
    expect(await end(`H${'A'.repeat(31)}`, 'capture')).toMatchObject({ status: 404 });
    expect(await end(holdId, 'capture', { amount: 11 })).toMatchObject({ status: 400 });
    const owner = shopper;
    shopper = await shop.shopper();
    expect(await end(holdId, 'capture')).toMatchObject({ status: 404 });
    shopper = owner;
    const stranger = await shop.stack.createApp({ scopes: ['wallet:write'] });
    const path = `/wallets/${shopper.userId}/holds/${holdId}/capture`;
    expect(await shop.stack.call(stranger, 'POST', path)).toMatchObject({ status: 404 });
    expect(await wallet()).toMatchObject({ balance: 10, held: 10 });
  });

  test('ends by itself: the sweeper releases it, and a late capture is refused, also before the sweeper ran', async () => {
    await grant(30);
    await hold(10, 1);
    const late = (await hold(20, 1)).body;
    await until(late.expiresAt);
    expect(await end(late.holdId, 'capture')).toMatchObject({ status: 409, body: { code: 'HOLD_ENDED' } });
    expect(await wallet()).toMatchObject({ balance: 30, held: 10 });
    expect(await sweepRecharge({ stopAt: Date.now() + 20_000 })).toMatchObject({ expired: 1, failed: 0 });
    expect(await wallet()).toMatchObject({ balance: 30, held: 0 });
    expect(await sweepRecharge({ stopAt: Date.now() + 20_000 })).toMatchObject({ expired: 0 });
    const kinds = (await call('GET', '/entries')).body.entries.map(({ kind }: { kind: string }) => kind);
    expect(kinds).toEqual(['hold_expiry', 'hold_expiry', 'hold', 'hold', 'grant']);
    await agrees();
  });

  test('of a user who was erased meanwhile gives nothing back, and what a capture leaves can be taken by an operator', async () => {
    await grant(100);
    const [released, captured, expired] = [(await hold(10)).body, (await hold(20)).body, (await hold(5, 1)).body];
    await withTransaction((transaction) => forfeitUnits(shopper.userId, transaction));
    await shop.stack.mysql.execute('UPDATE users SET erased_at = NOW(3) WHERE user_id = ?', [shopper.userId]);
    const held = () => readHolding(shop.app.appId, shopper.userId, 'coin');
    expect(await held()).toMatchObject({ balance: 35, held: 35 });
    for (let repeated = 0; repeated < 2; repeated++)
      expect(await end(released.holdId, 'release')).toMatchObject({
        status: 200,
        body: { status: 'released', captured: 0 },
      });
    expect(await held()).toMatchObject({ balance: 25, held: 25 });
    expect(await end(captured.holdId, 'capture', { amount: 12 })).toMatchObject({
      status: 200,
      body: { captured: 12 },
    });
    await until(expired.expiresAt);
    await sweepRecharge({ stopAt: Date.now() + 20_000 });
    expect(await held()).toMatchObject({ balance: 8, held: 0 });
    const take = { appId: shop.app.appId, userId: shopper.userId, amount: -8, reason: 'erased', allowDebt: false };
    expect(await adjust(take, { key: 'rest', actor: 'ann' })).toMatchObject({ balance: 0 });
    await expect(adjust({ ...take, amount: 8 }, { key: 'gift', actor: 'ann' })).rejects.toThrow('is erased');
    await agrees();
  });

  test('ends once when it is captured, released and expired at the same time', async () => {
    await grant(100);
    for (let round = 0; round < 5; round++) {
      const { holdId } = (await hold(10)).body;
      const answers = await Promise.all([
        ...[1, 2, 3].map((amount) => end(holdId, 'capture', { amount })),
        end(holdId, 'release'),
        end(holdId, 'release'),
      ]);
      const done = answers.filter(({ status }) => status === 200);
      expect(new Set(done.map(({ body }) => JSON.stringify(body))).size).toBe(1);
      expect(answers.filter(({ status }) => status === 409).length).toBe(answers.length - done.length);
      expect((await wallet()).held).toBe(0);
    }
    await agrees();
  });

  test('and spends at once never make what is available negative', async () => {
    await grant(100);
    await Promise.all(
      Array.from({ length: 24 }, (_, i) => (i % 3 === 0 ? hold(9) : i % 3 === 1 ? spend(7) : shopper.spend(5))),
    );
    const { balance, held, available } = await wallet();
    expect(available).toBeGreaterThanOrEqual(0);
    expect(available).toBeLessThan(5);
    expect(available).toBe(balance - held);
    await agrees();
  });
});

/** Waits until a time is past by the clock of MySQL, which is that of this machine. */
const until = (time: string) =>
  new Promise((resolve) => setTimeout(resolve, Math.max(0, Date.parse(time) - Date.now()) + 20));

describe('units that expire', () => {
  const soon = (ms = 1_000) => new Date(Date.now() + ms).toISOString();
  const sweep = () => sweepRecharge({ stopAt: Date.now() + 20_000 });

  test('are spent before the others, and only what is left of them expires', async () => {
    await grant(100);
    const gift = (await grant(50, { expiresAt: soon() })).body;
    expect(gift).toMatchObject({ balance: 150, expiresAt: expect.any(String) });
    await spend(20);
    await until(gift.expiresAt);
    expect(await sweep()).toMatchObject({ expired: 1, failed: 0 });
    expect(await wallet()).toMatchObject({ balance: 100 });
    expect(await sweep()).toMatchObject({ expired: 0 });
    expect((await call('GET', '/entries')).body.entries[0]).toMatchObject({ kind: 'expiry', delta: -30 });
    await agrees();
  });

  test('that were all spent do not expire, and of several lots the one that ends first is used first', async () => {
    const late = (await grant(40, { expiresAt: soon(2_000) })).body;
    const early = (await grant(30, { expiresAt: soon() })).body;
    await spend(35);
    await until(early.expiresAt);
    await sweep();
    expect(await wallet()).toMatchObject({ balance: 35 });
    await until(late.expiresAt);
    await sweep();
    expect(await wallet()).toMatchObject({ balance: 0 });
  });

  test('that a hold keeps stay when their time is over', async () => {
    const gift = (await grant(50, { expiresAt: soon() })).body;
    const { holdId } = (await hold(20)).body;
    await until(gift.expiresAt);
    await sweep();
    expect(await wallet()).toMatchObject({ balance: 20, held: 20, available: 0 });
    await end(holdId, 'release');
    expect(await sweep()).toMatchObject({ expired: 0 });
    expect(await wallet()).toMatchObject({ balance: 20, held: 0 });
    await agrees();
  });

  test('that a hold keeps over their end are what the hold takes, and not the units that were paid', async () => {
    await grant(60);
    const gift = (await grant(100, { expiresAt: soon() })).body;
    const { holdId } = (await hold(100)).body;
    await until(gift.expiresAt);
    await sweep();
    expect(await wallet()).toMatchObject({ balance: 160, held: 100 });
    await end(holdId, 'capture');
    expect(await wallet()).toMatchObject({ balance: 60, held: 0 });
    await agrees();
  });

  test('and are taken back by an adjustment end with it: what the user pays later stays', async () => {
    const gift = (await grant(60, { expiresAt: soon() })).body;
    const wanted = { appId: shop.app.appId, userId: shopper.userId, amount: -60, reason: 'mistake', allowDebt: false };
    await adjust(wanted, { key: newKey(), actor: 'tester' });
    const { orderNo } = (await shopper.create()).body;
    await shop.notify({ orderNo });
    await until(gift.expiresAt);
    await sweep();
    expect(await wallet()).toMatchObject({ balance: 60 });
    await agrees();
  });

  test('expire once, and paid units stay, when two sweepers end several lots of many users', async () => {
    const people = await Promise.all(Array.from({ length: 6 }, () => shop.shopper()));
    const early = soon();
    const late = soon(2_000);
    for (shopper of people) {
      await grant(60);
      await grant(10, { expiresAt: early });
      await grant(100, { expiresAt: late });
    }
    await until(early);
    await Promise.all([sweep(), sweep()]);
    for (shopper of people) await spend(60);
    await until(late);
    await Promise.all([sweep(), sweep()]);
    for (shopper of people) expect(await wallet()).toMatchObject({ balance: 60 });
    await agrees();
  });

  test('expire also behind many that cannot, and a wallet without its user is no obstacle', async () => {
    const lost = await shop.shopper();
    const gone = shopper;
    shopper = lost;
    const stuck = (await grant(5, { expiresAt: soon() })).body;
    await shop.stack.mysql.execute('DELETE FROM users WHERE user_id = ?', [lost.userId]);
    shopper = gone;
    const gift = (await grant(7, { expiresAt: soon() })).body;
    await until(gift.expiresAt);
    await until(stuck.expiresAt);
    expect(await sweep()).toMatchObject({ expired: 2, failed: 0 });
    expect(await wallet()).toMatchObject({ balance: 0 });
  });

  test('need an end in the future', async () => {
    for (const expiresAt of ['2020-01-01T00:00:00Z', '2040-01-01T00:00:00Z', '2030-02-30T00:00:00Z', 'tomorrow']) {
      expect(await grant(1, { expiresAt })).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    }
    expect(await wallet()).toMatchObject({ balance: 0 });
  });
});

describe('a spend by the client', () => {
  const itemSpend = async (clientSpend: 'items' | 'off' | 'free', body: object, key = newKey()) => {
    const app = await shop.stack.createApp({ clientSpend });
    const by = await newShopper(shop.stack, app);
    await shop.stack.mysql.execute(
      `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra)
       VALUES (?, ?, 'coin', 1, 100, 100, 'grant', ?, 'shop:granted')`,
      [app.appId, by.userId, `g-${by.userId}`],
    );
    const send = () =>
      shop.stack.call(app, 'POST', '/balance/spend', {
        session: by.session,
        body,
        headers: { 'idempotency-key': key },
      });
    return { send, by };
  };

  test('has the price of the item, which the server knows', async () => {
    const { send, by } = await itemSpend('items', { itemId: 'hat', quantity: 2 });
    const first = await send();
    expect(first).toMatchObject({ status: 201, body: { balance: 40, asset: 'coin' } });
    await shop.stack.mysql.query("UPDATE items SET amount = 31 WHERE item_id = 'hat'");
    expect((await send()).body).toEqual(first.body);
    await shop.stack.mysql.query("UPDATE items SET amount = 30 WHERE item_id = 'hat'");
    expect((await by.get('/balance/entries')).body.entries[0]).toMatchObject({ delta: -60, reason: '帽子' });
  });

  test.each([
    ['an unknown item', { itemId: 'none' }],
    ['an item that is switched off', { itemId: 'old-hat' }],
    ['no quantity', { itemId: 'hat', quantity: 0 }],
    ['an amount beside an item', { itemId: 'hat', amount: 1 }],
  ])('of %s is refused with 400', async (_, body) => {
    const { send, by } = await itemSpend('items', body);
    expect(await send()).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    expect(await by.balance()).toBe(100);
  });

  test('names its own amount only where the app allows it', async () => {
    for (const clientSpend of ['items', 'off'] as const) {
      const { send } = await itemSpend(clientSpend, { amount: 1 });
      expect(await send()).toMatchObject({ status: 403, body: { code: 'SCOPE_DENIED' } });
    }
    expect(await (await itemSpend('off', { itemId: 'hat' })).send()).toMatchObject({ status: 403 });
    expect(await (await itemSpend('free', { itemId: 'hat' })).send()).toMatchObject({ status: 201 });
    expect(await (await itemSpend('free', { amount: 7 })).send()).toMatchObject({ status: 201, body: { balance: 93 } });
  });
});
