import { createHmac } from 'node:crypto';
import { afterEach, describe, expect, it } from 'vitest';
import { createAccessTokens, TOKEN_LIMITS } from '../../local/simulators/wechat/access-tokens.ts';
import { startWechatSimulator } from '../../local/simulators/wechat/index.ts';
import { WECHAT_PATHS, type WechatPath } from '../../local/simulators/wechat/paths.ts';
import { createPrograms } from '../../local/simulators/wechat/programs.ts';

const A = { appid: 'wx000000000000000a', secret: 'secret-of-a' };
const B = { appid: 'wx000000000000000b', secret: 'secret-of-b' };
const MINUTE_MS = 60_000;

// biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
type Answer = any;
const running: { stop(): Promise<unknown> }[] = [];
afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => server.stop()));
});

async function wechat(options: Partial<Parameters<typeof startWechatSimulator>[0]> = {}) {
  const clock = { ms: Date.UTC(2026, 10, 28) };
  const simulator = await startWechatSimulator({ ...A, programs: [B], unionid: true, now: () => clock.ms, ...options });
  running.push(simulator);
  const post = async (path: string, body: unknown): Promise<Answer> => {
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(simulator.url + path, { method: 'POST', headers, body: JSON.stringify(body) });
    return response.json();
  };
  return {
    ...simulator,
    clock,
    post,
    async logIn(code: string, { appid, secret } = A): Promise<Answer> {
      const query = new URLSearchParams({ appid, secret, js_code: code, grant_type: 'authorization_code' });
      return (await fetch(`${simulator.url}${WECHAT_PATHS.session}?${query}`)).json();
    },
    token: (more: object = {}) => post(WECHAT_PATHS.token, { grant_type: 'client_credential', ...A, ...more }),
    withToken: (path: WechatPath, token: string, body: unknown) => post(`${path}?access_token=${token}`, body),
  };
}

describe('several mini-programs in the WeChat simulator', () => {
  it('give one person one unionid and each an openid of its own', async () => {
    const { issueCode, logIn } = await wechat();
    const a = await logIn(issueCode({ person: 'ada' }));
    const b = await logIn(issueCode({ appid: B.appid, person: 'ada' }), B);
    expect(b.unionid).toBe(a.unionid);
    expect(b.openid).not.toBe(a.openid);
    expect((await logIn(issueCode({ person: 'bob' }))).unionid).not.toBe(a.unionid);
  });

  it('refuse a code of another one, and a wrong secret does not use a code up', async () => {
    const { issueCode, logIn } = await wechat();
    const code = issueCode({ appid: B.appid });
    expect(await logIn(code)).toMatchObject({ errcode: 40029 });
    expect(await logIn(code, { ...B, secret: A.secret })).toMatchObject({ errcode: 40125 });
    expect(await logIn(code, B)).toMatchObject({ openid: expect.any(String) });
  });

  it('can be added later, have two secrets, and be bound to no open-platform account', async () => {
    const { addProgram, issueCode, logIn } = await wechat();
    const late = { appid: 'wx000000000000000c', secret: 'new', formerSecret: 'old', unionid: false };
    addProgram(late);
    for (const secret of ['new', 'old']) {
      const session = await logIn(issueCode({ appid: late.appid }), { appid: late.appid, secret });
      expect(Object.keys(session).sort()).toEqual(['openid', 'session_key']);
    }
    addProgram({ appid: late.appid, secret: 'new' });
    expect(await logIn('any', { appid: late.appid, secret: 'old' })).toMatchObject({ errcode: 40125 });
  });

  it('take a dev code once each, for the same person', async () => {
    const { logIn } = await wechat({ devCodes: true });
    const [a, b] = [await logIn('dev-ada-1'), await logIn('dev-ada-1', B)];
    expect(b.unionid).toBe(a.unionid);
    expect(await logIn('dev-ada-1')).toMatchObject({ errcode: 40163 });
  });

  it('ask about one user at most 100 times a minute', async () => {
    const { issueCode, logIn, clock } = await wechat();
    for (let i = 0; i < 100; i++) expect(await logIn(issueCode('o-ada'))).toMatchObject({ openid: 'o-ada' });
    const code = issueCode('o-ada');
    expect(await logIn(code)).toMatchObject({ errcode: 45011 });
    expect(await logIn(issueCode('o-bob'))).toMatchObject({ openid: 'o-bob' });
    clock.ms += MINUTE_MS;
    expect(await logIn(code)).toMatchObject({ openid: 'o-ada' });
  });
});

describe('stable_token of the WeChat simulator', () => {
  const check = { code: 'unknown' };

  it('answers as WeChat prints it: {"access_token": "ACCESS_TOKEN", "expires_in": 7200}', async () => {
    const { token } = await wechat();
    const answer = await token();
    expect(answer).toEqual({ access_token: expect.any(String), expires_in: 7200 });
    expect(answer.access_token).toHaveLength(512);
  });

  it('gives the same token until five minutes before its end; then both are good for five minutes', async () => {
    const { token, withToken, clock } = await wechat();
    const first = await token();
    clock.ms += 115 * MINUTE_MS - 1000;
    expect(await token()).toEqual({ access_token: first.access_token, expires_in: 301 });
    clock.ms += 1000;
    const second = await token();
    expect(second.access_token).not.toBe(first.access_token);
    expect(second.expires_in).toBe(7200);
    clock.ms += 5 * MINUTE_MS - 1;
    for (const { access_token } of [first, second]) {
      expect(await withToken(WECHAT_PATHS.phone, access_token, check)).toMatchObject({ errcode: 40029 });
    }
    clock.ms += 1;
    expect(await withToken(WECHAT_PATHS.phone, first.access_token, check)).toMatchObject({ errcode: 42001 });
    expect(await withToken(WECHAT_PATHS.phone, second.access_token, check)).toMatchObject({ errcode: 40029 });
  });

  it('by force ends the former token at once, not within 30 s of another one, and 20 times a day', async () => {
    const { token, withToken, clock, forcedRefreshes } = await wechat();
    const first = await token();
    const forced = await token({ force_refresh: true });
    expect(forced.access_token).not.toBe(first.access_token);
    expect(await withToken(WECHAT_PATHS.phone, first.access_token, check)).toMatchObject({ errcode: 40001 });
    clock.ms += 29_999;
    expect((await token({ force_refresh: true })).access_token).toBe(forced.access_token);
    for (let i = 1; i < 20; i++) {
      clock.ms += 30_000;
      expect(await token({ force_refresh: true })).toMatchObject({ expires_in: 7200 });
    }
    clock.ms += 30_000;
    expect(await token({ force_refresh: true })).toMatchObject({ errcode: 45009 });
    expect(forcedRefreshes()).toBe(20);
    expect(await token()).toMatchObject({ access_token: expect.any(String) });
    clock.ms += 24 * 60 * MINUTE_MS;
    expect(await token({ force_refresh: true })).toMatchObject({ expires_in: 7200 });
  });

  it('can end tokens early, of one mini-program', async () => {
    const { token, withToken, endTokens } = await wechat();
    const [a, b] = [await token(), await token(B)];
    endTokens(A.appid);
    expect(await withToken(WECHAT_PATHS.phone, a.access_token, check)).toMatchObject({ errcode: 40001 });
    expect(await withToken(WECHAT_PATHS.phone, b.access_token, check)).toMatchObject({ errcode: 40029 });
    expect((await token()).access_token).not.toBe(a.access_token);
  });

  it('refuses a wrong secret, AppID, grant type and body', async () => {
    const { token, post } = await wechat();
    const wrong = [{ secret: 'x' }, { appid: 'wx0' }, { grant_type: 'x' }, { secret: '' }, { appid: '' }];
    const answers: unknown[] = [];
    for (const changed of wrong) answers.push((await token(changed)).errcode);
    expect(answers).toEqual([40125, 40013, 40002, 41004, 41002]);
    expect(await post(WECHAT_PATHS.token, 'text')).toMatchObject({ errcode: 47001 });
  });

  it('answers 10 000 calls a minute and 500 000 a day', () => {
    const clock = { ms: Date.UTC(2026, 10, 28) };
    const tokens = createAccessTokens(createPrograms(A, [], true), () => clock.ms);
    const body = Buffer.from(JSON.stringify({ grant_type: 'client_credential', ...A }));
    const call = () => tokens.stableToken({ query: new URLSearchParams(), body });
    const { callsAMinute, callsADay } = TOKEN_LIMITS;
    for (let i = 0; i < callsAMinute; i++) call();
    expect(call).toThrow('minute-quota');
    for (let i = callsAMinute + 1; i < callsADay; i++) {
      if (i % callsAMinute === 1) clock.ms += MINUTE_MS;
      call();
    }
    clock.ms += MINUTE_MS;
    expect(call).toThrow('daily quota');
  });
});

describe('phone codes of the WeChat simulator', () => {
  it('are good once, for five minutes, in the mini-program of the token', async () => {
    const { token, withToken, issuePhoneCode, clock } = await wechat();
    const { access_token } = await token();
    const exchange = (code: string) => withToken(WECHAT_PATHS.phone, access_token, { code });
    const code = issuePhoneCode({ number: '13580006666' });
    expect(code).toMatch(/^[0-9a-f]{64}$/);
    // WeChat prints it so, with xxxxxx in place of the number and the AppID.
    expect(await exchange(code)).toEqual({
      errcode: 0,
      errmsg: 'ok',
      phone_info: {
        phoneNumber: '13580006666',
        purePhoneNumber: '13580006666',
        countryCode: '86',
        watermark: { timestamp: Math.floor(clock.ms / 1000), appid: A.appid },
      },
    });
    const late = issuePhoneCode();
    clock.ms += 5 * MINUTE_MS;
    for (const refused of [code, late, issuePhoneCode({ appid: B.appid }), 'dev-phone-13580006666-1']) {
      expect(await exchange(refused)).toMatchObject({ errcode: 40029 });
    }
    expect(await exchange(issuePhoneCode({ watermarkAppid: B.appid }))).toMatchObject({
      phone_info: { watermark: { appid: B.appid } },
    });
    expect(await exchange(issuePhoneCode({ number: '2015550123', countryCode: '1' }))).toMatchObject({
      phone_info: { phoneNumber: '12015550123', purePhoneNumber: '2015550123', countryCode: '1' },
    });
  });

  it('may be dev codes where these are allowed, and need a token', async () => {
    const { token, withToken, post } = await wechat({ devCodes: true });
    const { access_token } = await token();
    const code = 'dev-phone-13580006666-1';
    expect(await post(WECHAT_PATHS.phone, { code })).toMatchObject({ errcode: 41001 });
    expect(await withToken(WECHAT_PATHS.phone, 'invented', { code })).toMatchObject({ errcode: 40001 });
    expect(await withToken(WECHAT_PATHS.phone, access_token, { code })).toMatchObject({
      phone_info: { purePhoneNumber: '13580006666' },
    });
    expect(await withToken(WECHAT_PATHS.phone, access_token, { code })).toMatchObject({ errcode: 40029 });
  });
});

describe('shipping information at the WeChat simulator', () => {
  it('is taken, corrected once, and refused for a bad list', async () => {
    const { token, withToken, shipments, setTradeManaged } = await wechat();
    const { access_token } = await token();
    const isManaged = (appid: string) => withToken(WECHAT_PATHS.tradeManaged, access_token, { appid });
    expect(await isManaged(A.appid)).toEqual({ errcode: 0, errmsg: 'ok', is_trade_managed: false });
    setTradeManaged(true);
    expect(await isManaged(A.appid)).toMatchObject({ is_trade_managed: true });
    expect(await isManaged(B.appid)).toMatchObject({ errcode: 40013 });
    const upload = (shipping_list: unknown) =>
      withToken(WECHAT_PATHS.shipping, access_token, {
        order_key: { order_number_type: 2, transaction_id: '4200001' },
        shipping_list,
      });
    const good = [{ item_desc: 'coins' }];
    for (const bad of [[], [...good, ...good], [{ item_desc: 'x'.repeat(121) }], 'coins']) {
      expect(await upload(bad)).toMatchObject({ errcode: 268485224 });
    }
    const answers = [await upload(good), await upload(good), await upload(good)];
    expect(answers.map(({ errcode }) => errcode)).toEqual([0, 0, 10060003]);
    expect(shipments()).toHaveLength(2);
  });
});

describe('virtual payment at the WeChat simulator', () => {
  const appKey = 'key-of-xpay';
  const sign = (uri: string, body: string, key = appKey) =>
    createHmac('sha256', key).update(`${uri}&${body}`).digest('hex');
  const signData = JSON.stringify({
    ...{ offerId: '1', buyQuantity: 1, env: 0, currencyType: 'CNY', productId: 'p' },
    ...{ goodsPrice: 600, outTradeNo: 'order-00000001', attach: 'a' },
  });

  async function shop() {
    const simulator = await wechat();
    const { access_token } = await simulator.token();
    simulator.xpay.setMerchant({ appid: A.appid, env: 0, appKey });
    const payment = { signData, paySig: sign('requestVirtualPayment', signData) };
    const pay = () => simulator.xpay.pay(payment, { appid: A.appid, openid: 'o-1' });
    // biome-ignore lint/suspicious/noExplicitAny: a test says what it expects of it
    const call = async (path: string, content: object, signature?: string): Promise<any> => {
      const body = JSON.stringify({ openid: 'o-1', env: 0, order_id: 'order-00000001', ...content });
      const query = new URLSearchParams({ access_token, pay_sig: signature ?? sign(path, body) });
      return (await fetch(`${simulator.url}${path}?${query}`, { method: 'POST', body })).json();
    };
    return { ...simulator, pay, call };
  }

  it('answers for an order only with a signature over the bytes, its environment and its payer', async () => {
    const { pay, call } = await shop();
    const query = (content = {}, signature?: string) => call(WECHAT_PATHS.xpayQuery, content, signature);
    const unknown = await query();
    expect([unknown.errcode, unknown.errmsg]).toEqual([268490002, expect.stringContaining('数据不存在')]);
    pay();
    expect((await query()).order).toMatchObject({ status: 2, paid_fee: 600, left_fee: 600, env_type: 1 });
    expect(await query({}, 'f'.repeat(64))).toMatchObject({ errcode: 268490003 });
    expect(await query({ env: 1 })).toMatchObject({ errcode: 268490002 });
    expect(await query({ openid: 'o-2' })).toMatchObject({ errcode: 268490001 });
    expect(pay).toThrow('paid before');
  });

  it('delivers once, refunds what is left once for each number, and takes back a refund that fails', async () => {
    const { pay, call, xpay } = await shop();
    pay();
    expect(await call(WECHAT_PATHS.xpayProvide, {})).toMatchObject({ errcode: 0 });
    expect(await call(WECHAT_PATHS.xpayProvide, {})).toMatchObject({ errcode: 268490004 });
    const values = { refund_order_id: 'refund-0001', left_fee: 600, refund_fee: 200, biz_meta: '' };
    const refund = (change = {}) =>
      call(WECHAT_PATHS.xpayRefund, { ...values, refund_reason: '5', req_from: '3', ...change });
    expect(await refund({ left_fee: 599 })).toMatchObject({ errcode: 268490016 });
    for (const wrong of [{ refund_fee: 601 }, { refund_order_id: 'short' }, { refund_reason: '6' }, { req_from: '0' }])
      expect(await refund(wrong)).toMatchObject({ errcode: 268490002 });
    expect(await refund()).toMatchObject({ errcode: 0, pay_order_id: 'order-00000001' });
    expect(await refund()).toMatchObject({ errcode: 268490004 });
    expect(xpay.record('order-00000001')).toMatchObject({ status: 5, left_fee: 400 });
    xpay.endRefund('refund-0001', 'failed');
    expect([xpay.record('refund-0001')?.status, xpay.record('order-00000001')?.left_fee]).toEqual([7, 600]);
  });

  it('is played over HTTP too', async () => {
    const { post, call } = await shop();
    await post('/control/xpay-merchants', { appid: A.appid, env: 0, appKey });
    const payment = { signData, paySig: sign('requestVirtualPayment', signData) };
    const payer = { appid: A.appid, openid: 'o-1' };
    expect((await post('/control/xpay-pay', { payment, payer })).order).toMatchObject({ status: 2 });
    const refund = { refund_order_id: 'refund-0001', left_fee: 600, refund_fee: 600, biz_meta: '' };
    await call(WECHAT_PATHS.xpayRefund, { ...refund, refund_reason: '0', req_from: '1' });
    await post('/control/xpay-refund-end', { refundNo: 'refund-0001' });
    expect((await post('/control/xpay-order', { orderNo: 'refund-0001' })).order).toMatchObject({ status: 8 });
    expect((await post('/control/xpay-order', { orderNo: 'no-such' })).order).toBeNull();
  });
});

describe('the control routes of the WeChat simulator', () => {
  it('do over HTTP what a test in the same process does, also while the interfaces misbehave', async () => {
    const { url, post, logIn, token, withToken, calls } = await wechat();
    const { code } = await post('/control/codes', { person: 'ada' });
    await post('/control/failures', { path: WECHAT_PATHS.session, errcodes: [-1] });
    expect(await logIn(code)).toMatchObject({ errcode: -1 });
    expect(await logIn(code)).toMatchObject({ openid: expect.any(String) });
    await post('/control/programs', { appid: 'wx9', secret: 'nine' });
    expect(await logIn('x', { appid: 'wx9', secret: 'nine' })).toMatchObject({ errcode: 40029 });
    expect(await post('/control/calls', { path: WECHAT_PATHS.session })).toEqual({ calls: 3, forcedRefreshes: 0 });
    expect(calls(WECHAT_PATHS.session)).toBe(3);

    const { access_token } = await token();
    const phone = await post('/control/phone-codes', { number: '13580006666' });
    await post('/control/end-tokens', {});
    expect(await withToken(WECHAT_PATHS.phone, access_token, phone)).toMatchObject({ errcode: 40001 });
    const next = await token();
    await post('/control/advance', { ms: 2 * 60 * MINUTE_MS });
    expect(await withToken(WECHAT_PATHS.phone, next.access_token, phone)).toMatchObject({ errcode: 42001 });

    await post('/control/misbehave', { path: WECHAT_PATHS.session, fault: { kind: 'cut' } });
    await expect(logIn('x')).rejects.toThrow();
    expect(await token()).toMatchObject({ expires_in: 7200 });
    await post('/control/misbehave', {});
    expect(await logIn('x')).toMatchObject({ errcode: 40029 });
    expect((await fetch(`${url}/control/codes`, { method: 'POST', body: '{}' })).status).toBe(415);
    expect((await fetch(`${url}/control/codes`)).status).toBe(404);
  });
});
