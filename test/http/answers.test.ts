import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { channelDigest } from '../../client/channel-digest.ts';
import { type PluginServerSimulator, startPluginServer } from '../../local/simulators/plugin-server.ts';
import { SCOPES } from '../../shared/app/app.ts';
import { registerPlugin } from '../../shared/plugin/admin.ts';
import { sandboxSignature } from '../../shared/recharge/sandbox/provider.ts';
import { everyRoute } from '../support/every-route.ts';
import { sessionsOf } from '../support/session-engines.ts';
import { type SignedRequest, startTestStack, type TestAnswer, type TestApp, type TestStack } from '../support/stack.ts';

/** What each route answers to a correct call: exact members, status, headers. */
const ID = expect.stringMatching(/^[A-Za-z0-9_-]{1,64}$/);
const TIME = expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z$/);
const TEXT = expect.any(String);
const WHOLE = expect.toSatisfy((value) => Number.isSafeInteger(value), 'a safe integer');

let stack: TestStack;
let app: TestApp;
let plugin: PluginServerSimulator;
let session: string;
const answered = new Set<string>();
const account = `user-${randomBytes(4).toString('hex')}`;
const password = randomBytes(9).toString('hex');
const once = () => ({ 'idempotency-key': randomBytes(12).toString('hex') });

beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  const { pushSecret } = await registerPlugin({ pluginId: 'shop', serverUrl: 'http://127.0.0.1:1/push' });
  plugin = await startPluginServer({ pluginId: 'shop', pushSecrets: [pushSecret] });
  await stack.mysql.execute('UPDATE plugins SET server_url = ?', [plugin.pushUrl]);
  app = await stack.createApp({ scopes: SCOPES, validates: 'shop' });
});
afterAll(async () => {
  await plugin?.stop();
});

/** Calls the route and checks status and headers. The test checks the body. */
async function good(
  route: string,
  status: number,
  request: SignedRequest & { path?: string } = {},
): Promise<TestAnswer> {
  const { path, ...rest } = request;
  const [method = '', pattern = ''] = route.split(' ');
  const answer = await stack.call(app, method, path ?? pattern, rest);
  expect([route, answer.status, answer.text]).toEqual([route, status, answer.text]);
  checkHead(answer, status);
  answered.add(route);
  return answer;
}

function checkHead(answer: TestAnswer, status: number): void {
  const { headers } = answer;
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('x-request-id')).toMatch(/^[\w-]{15}=$/);
  expect(headers.get('date')).not.toBeNull();
  if (status === 204) expect([answer.text, headers.get('content-type')]).toEqual(['', null]);
  else expect(headers.get('content-type')).toBe('application/json; charset=utf-8');
}

const user = (name: unknown) => ({ userId: ID, account: name, phone: null, profile: expect.any(Object) });
const login = (name: unknown) => ({
  token: expect.stringMatching(/^s1\./),
  expiresAt: TIME,
  user: user(name),
  deviceMark: expect.stringMatching(/^[\w-]{22}$/),
});
const order = {
  orderNo: ID,
  status: 'pending',
  productId: ID,
  amountFen: WHOLE,
  currency: 'CNY',
  units: WHOLE,
  createdAt: TIME,
};

describe('a correct call gets the documented answer', () => {
  test('on health, for every caller', async () => {
    const answer = await stack.send('GET', '/health', {});
    checkHead(answer, 200);
    expect([answer.status, answer.body]).toEqual([200, { status: 'ok', engines: { redis: TEXT, mysql: TEXT } }]);
    answered.add('GET /health');
  });

  test('on login by password and by WeChat', async () => {
    const created = await good('POST /accounts', 201, { body: { account, password, profile: { nickname: 'n' } } });
    expect(created.body).toEqual({ userId: ID });
    const logged = await good('POST /login', 200, { body: { account: account.toUpperCase(), password } });
    expect(logged.body).toEqual(login(account));
    expect(logged.body.user).toEqual({ userId: created.body.userId, account, phone: null, profile: { nickname: 'n' } });
    session = logged.body.token;
    const wechat = await good('POST /login/wechat', 200, { body: { code: stack.wechat.issueCode() } });
    expect(wechat.body).toEqual(login(null));
  });

  test('on the three steps of a channel login', async () => {
    const start = await good('POST /login/channel', 200, { body: { channel: 'demo', channelUserId: 'u-1' } });
    expect(start.body).toEqual({ accountAddress: ID, firstString: ID, expiresAt: TIME });
    const { accountAddress, firstString } = start.body;
    const timeStamp = Math.floor(Date.now() / 1000);
    const digest = channelDigest('MD5', accountAddress, firstString, String(timeStamp));
    const verified = await good('POST /login/channel/verify', 200, { body: { accountAddress, digest, timeStamp } });
    const loginList = [{ address: TEXT, port: WHOLE }];
    expect(verified.body).toEqual({
      account: accountAddress,
      created: true,
      loginList,
      secondString: ID,
      expiresAt: TIME,
    });
    const entry = verified.body.loginList[0];
    const body = { accountAddress, secondString: verified.body.secondString, entry };
    expect((await good('POST /login/channel/enter', 200, { body })).body).toEqual(login(accountAddress));
  });

  test('on the data of the user', async () => {
    expect((await good('GET /me', 200, { session })).body).toEqual(user(account));
    const changed = await good('PUT /me', 200, { session, body: { profile: { city: '上海' } } });
    expect(changed.body).toEqual({ userId: ID, account, phone: null, profile: { city: '上海' } });
    const other = await stack.call(app, 'POST', '/login', { body: { account, password } });
    const { sessions } = (await good('GET /sessions', 200, { session })).body;
    expect(sessions).toHaveLength(2);
    for (const listed of sessions) {
      const current = expect.any(Boolean);
      expect(listed).toEqual({ id: ID, device: TEXT, createdAt: TIME, lastSeenAt: TIME, network: TEXT, current });
    }
    const { id } = sessions.find(({ current }: { current: boolean }) => !current);
    await good('DELETE /sessions/{id}', 204, { session, path: `/sessions/${id}` });
    expect((await stack.call(app, 'GET', '/me', { session: other.body.token })).body.code).toBe('SESSION_REVOKED');
    await good('DELETE /sessions', 204, { session });
    await good('PUT /me/password', 204, { session, body: { oldPassword: password, newPassword: `${password}2` } });
  });

  test('on plugin tokens', async () => {
    const issued = await good('POST /plugins/{pluginId}/token', 201, { session, path: '/plugins/shop/token' });
    expect(issued.body).toEqual({
      pluginToken: expect.stringMatching(/^p1\./),
      expiresAt: TIME,
      server: plugin.pushUrl,
    });
    const ask = (pluginToken: string) =>
      good('POST /plugins/{pluginId}/validate', 200, { path: '/plugins/shop/validate', body: { pluginToken } });
    const { expiresAt, pluginToken } = issued.body;
    expect((await ask(pluginToken)).body).toEqual({ active: true, userId: ID, pluginId: 'shop', expiresAt });
    expect((await ask(`${pluginToken}x`)).body).toEqual({ active: false });
  });

  test('on reads of records', async () => {
    const notice = { id: '1', title: TEXT, body: TEXT, publishedAt: TIME };
    const one = await good('GET /data/{resource}/{id}', 200, { path: '/data/notice/1' });
    expect(one.body).toEqual(notice);
    const again = await good('GET /data/{resource}/{id}', 200, { path: '/data/notice/1' });
    expect([one.headers.get('x-cache'), again.headers.get('x-cache')]).toEqual(['miss', 'hit']);
    const many = await good('GET /data/{resource}', 200, { path: '/data/service', query: 'ids=1,99999' });
    const service = { id: '1', name: TEXT, description: TEXT, priceFen: WHOLE, category: ID };
    expect(many.body).toEqual({ items: { 1: service, 99999: null } });
    const demo = await stack.call(app, 'POST', '/login', { body: { account: 'demo', password: 'demo-password-1' } });
    const voucher = await good('GET /data/{resource}/{id}', 200, { path: '/data/voucher/1', session: demo.body.token });
    expect(voucher.body).toEqual({ id: '1', userId: ID, title: TEXT, amountFen: WHOLE, expiresAt: TIME });
    const foreign = await stack.call(app, 'GET', '/data/voucher/1', { session });
    const absent = await stack.call(app, 'GET', '/data/voucher/999', { session });
    const shown = ({ status, headers, body }: TestAnswer) => ({
      status,
      cache: headers.get('x-cache'),
      body: { ...body, requestId: '' },
    });
    expect(shown(foreign)).toEqual(shown(absent));
    expect(shown(absent)).toMatchObject({ status: 404, cache: 'null', body: { code: 'NOT_FOUND' } });
  });

  test('on pages of lists, and on records that users write', async () => {
    const page = await good('GET /data/{resource}', 200, { path: '/data/service', query: 'list=cheapest' });
    const item = { id: ID, name: TEXT, priceFen: WHOLE, category: ID };
    expect(page.body).toEqual({ items: Array.from({ length: 20 }, () => item), next: TEXT });
    const body = { serviceId: '1', day: '2030-05-01' };
    const created = await good('POST /data/{resource}', 201, { session, headers: once(), path: '/data/booking', body });
    const shown = { id: ID, userId: ID, ...body, note: '', status: 'requested', createdAt: TIME };
    expect(created.body).toEqual({ ...shown, version: 1 });
    const path = `/data/booking/${created.body.id}`;
    const change = { session, path, headers: { 'if-match': '"1"' } };
    const changes = { day: '2030-05-02', note: '请按铃', status: 'cancelled' };
    const changed = await good('PUT /data/{resource}/{id}', 200, { ...change, body: changes });
    expect(changed.body).toEqual({ ...created.body, ...changes, version: 2 });
    await good('DELETE /data/{resource}/{id}', 204, { session, path });
    const mine = await good('GET /data/{resource}', 200, { session, path: '/data/booking', query: 'list=mine' });
    expect(mine.body).toEqual({ items: [] });
  });

  test('on recharge and balance', async () => {
    const params = (await good('GET /recharge/params', 200, { session })).body;
    expect(Object.keys(params).sort()).toEqual(['products', 'providers']);
    expect(params.providers).toContain('sandbox');
    const product = { productId: ID, title: TEXT, amountFen: WHOLE, currency: 'CNY', units: WHOLE, asset: ID };
    for (const offered of params.products) expect(offered).toEqual(product);
    const { productId, amountFen, units } = params.products[0];
    const placed = await good('POST /recharge', 201, {
      session,
      headers: once(),
      body: { productId, provider: 'sandbox' },
    });
    expect(placed.body).toEqual({ orderNo: ID, status: 'pending', payment: {} });
    const { orderNo } = placed.body;
    expect((await good('GET /recharge/{orderNo}', 200, { session, path: `/recharge/${orderNo}` })).body).toEqual(order);
    const notice = JSON.stringify({ orderNo, amountFen, currency: 'CNY', transactionId: 't-1', status: 'SUCCESS' });
    const stamp = String(Math.floor(Date.now() / 1000));
    const signature = sandboxSignature(stack.env.SANDBOX_KEY ?? '', stamp, notice);
    const signed = { 'sandbox-timestamp': stamp, 'sandbox-signature': signature };
    const noticed = await stack.send('POST', '/recharge/notify/sandbox', signed, notice);
    expect([200, 204]).toContain(noticed.status);
    answered.add('POST /recharge/notify/{provider}');
    // No address was registered there: the answer contains nothing, above all not what the caller sent.
    const echo = await stack.send('GET', '/recharge/notify/xpay?echostr=%3Cscript%3E', {});
    expect([echo.status, echo.body.code, echo.text.includes('script')]).toEqual([404, 'NOT_FOUND', false]);
    answered.add('GET /recharge/notify/{provider}');
    for (const method of ['GET', 'POST']) {
      const stranger = await stack.send(method, '/wechat/push/wx0123456789abcdef?echostr=%3Cscript%3E', {});
      expect([stranger.status, stranger.body.code, stranger.text.includes('script')]).toEqual([
        404,
        'NOT_FOUND',
        false,
      ]);
      answered.add(`${method} /wechat/push/{wechatAppid}`);
    }
    const synced = await good('POST /recharge/{orderNo}/sync', 200, { session, path: `/recharge/${orderNo}/sync` });
    expect(synced.body).toEqual({ ...order, status: 'paid', paidAt: TIME });
    expect((await good('GET /recharge', 200, { session })).body).toEqual({ orders: [synced.body] });
    expect((await good('GET /balance', 200, { session })).body).toEqual({ balance: units, asset: ID });
    const spent = await good('POST /balance/spend', 201, {
      session,
      headers: once(),
      body: { amount: 1, reason: 'tea' },
    });
    expect(spent.body).toEqual({ balance: units - 1, asset: ID, ref: ID });
    const bought = await good('POST /balance/spend', 201, { session, headers: once(), body: { itemId: 'hat' } });
    expect(bought.body).toEqual({ balance: units - 4, asset: ID, ref: ID });
    const { entries } = (await good('GET /balance/entries', 200, { session })).body;
    expect(entries).toHaveLength(3);
    for (const entry of entries) {
      expect(
        Object.entries(entry)
          .filter(([name]) => /At$/.test(name))
          .map(([, at]) => at),
      ).toEqual([TIME]);
    }
  });

  test('on the wallets of users, for servers', async () => {
    const { userId } = (await stack.call(app, 'GET', '/me', { session })).body;
    const of = (rest: string) => ({ path: `/wallets/${userId}${rest}` });
    const wallet = { balance: WHOLE, held: 0, available: WHOLE, asset: 'coin' };
    const { balance } = (await good('GET /wallets/{userId}', 200, of(''))).body;
    expect((await good('GET /wallets/{userId}', 200, of(''))).body).toEqual({ ...wallet, balance, available: balance });
    const gift = { amount: 20, reason: 'gift', expiresAt: '2037-01-01T00:00:00Z' };
    const granted = await good('POST /wallets/{userId}/grant', 201, {
      ...{ ...of('/grant'), headers: once(), body: gift },
    });
    const left = { balance: balance + 20, available: balance + 20, asset: 'coin' };
    expect(granted.body).toEqual({ ref: ID, ...left, expiresAt: '2037-01-01T00:00:00.000Z' });
    const spend = { ...of('/spend'), headers: once(), body: { amount: 5, reason: 'tea' } };
    const spent = await good('POST /wallets/{userId}/spend', 201, spend);
    expect(spent.body).toEqual({ ref: ID, ...left, balance: balance + 15, available: balance + 15 });
    const again = await good('POST /wallets/{userId}/spend', 201, spend);
    expect([again.body, again.headers.get('idempotency-replayed')]).toEqual([spent.body, 'true']);
    const place = { ...of('/holds'), body: { amount: 10, reason: 'bid', seconds: 60 } };
    const holds = [1, 2].map(() => good('POST /wallets/{userId}/holds', 201, { ...place, headers: once() }));
    const [one, other] = (await Promise.all(holds)).map(({ body }) => body);
    const hold = { holdId: ID, status: 'held', amount: 10, captured: 0, expiresAt: TIME };
    for (const held of [one, other]) expect(held).toEqual({ ...hold, available: WHOLE });
    const taken = { ...of(`/holds/${one.holdId}/capture`), body: { amount: 4 } };
    const captured = await good('POST /wallets/{userId}/holds/{holdId}/capture', 200, taken);
    expect(captured.body).toEqual({ ...hold, holdId: one.holdId, status: 'captured', captured: 4 });
    const back = of(`/holds/${other.holdId}/release`);
    const released = await good('POST /wallets/{userId}/holds/{holdId}/release', 200, back);
    expect(released.body).toEqual({ ...hold, holdId: other.holdId, status: 'released' });
    const query = `ref=${one.holdId}`;
    const { entries } = (await good('GET /wallets/{userId}/entries', 200, { ...of('/entries'), query })).body;
    const common = { seq: WHOLE, balanceAfter: WHOLE, ref: one.holdId, createdAt: TIME, reason: 'bid' };
    expect(entries).toEqual([
      { ...common, kind: 'capture', delta: -4, held: -10 },
      { ...common, kind: 'hold', delta: 0, held: 10, expiresAt: TIME },
    ]);
  });

  test('on logout and on erasing the account', async () => {
    await good('POST /logout', 204, { session });
    expect((await stack.call(app, 'GET', '/me', { session })).body.code).toBe('SESSION_REVOKED');
    const again = await stack.call(app, 'POST', '/login', { body: { account, password: `${password}2` } });
    await good('DELETE /me', 204, { session: again.body.token, body: { password: `${password}2`, forfeit: true } });
    const gone = await stack.call(app, 'POST', '/login', { body: { account, password: `${password}2` } });
    expect([gone.status, gone.body.code]).toEqual([401, 'BAD_CREDENTIALS']);
  });

  test('on every other route: success with these headers, or a refusal in the common form', async () => {
    const { token } = await sessionsOf(stack, app).open();
    for (const row of everyRoute.filter(({ route }) => !answered.has(route))) {
      const { method, path, query, body, headers } = row;
      const request = { ...(query && { query }), ...(body && { body }), headers, session: token };
      const answer = await stack.call(app, method, path, request);
      if (answer.status < 300) checkHead(answer, answer.status);
      else expect([row.route, answer.body.code], answer.text).toEqual([row.route, expect.stringMatching(/^[A-Z_]+$/)]);
      expect(answer.status, answer.text).toBeLessThan(500);
    }
  });
});
