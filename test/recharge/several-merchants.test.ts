import { beforeAll, describe, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { createSigner, newIdentity } from '../../local/simulators/wechatpay/identity.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { bindMerchant, removeMerchant, setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import type { XpayMerchant } from '../../shared/recharge/xpay/provider.ts';
import { alarmsOf } from '../support/alarms.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { newSender, pusher } from '../support/push-sender.ts';
import { newKey, newShopper, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';
import type { TestApp } from '../support/stack.ts';

/**
 * Three merchants of WeChat Pay. The second has the mini-program of the first and keys of its own. The third has the
 * number and the keys of the first, and another mini-program. All are told the same address for notifications.
 */
const actor = 'tester';
const identity = newIdentity();
const identities = [
  identity,
  { ...newIdentity(), mchId: '1900000002' },
  { ...identity, appId: 'wxmock0000000003' },
] as const;
const wechatpay = { productId: 'coins-60', provider: 'wechatpay' };
const names = ['1900000001/wxmock0000000001', '1900000002', '1900000001/wxmock0000000003'];
const sender = newSender();
const xpayMerchant = (offerId: string): XpayMerchant => ({
  ...{ appId: sender.wechatAppid, offerId, env: 0, appKey: `key-of-${offerId}` },
  ...{ pushToken: sender.token, encodingAesKey: sender.encodingAesKey },
});
let shop: Shop;
let mocks: MockWechatPay[];
/** One of an app of each merchant. The first app names none and has the default. */
let shoppers: Shopper[];
let apps: TestApp[];

beforeAll(async () => {
  shop = await openShop();
  const notifyUrl = `${shop.stack.url}/recharge/notify/wechatpay`;
  mocks = await Promise.all(identities.map((one) => startMockWechatPay({ notifyUrl, speed: 100, identity: one })));
  atEndOfFile(() => Promise.all(mocks.map((mock) => mock.stop())));
  await setMerchant('wechatpay', mocks[0]?.config, { actor });
  for (const { config } of mocks.slice(1)) await setMerchant('wechatpay', config, { actor, merchantId: config.mchId });
  await setMerchant('xpay', xpayMerchant('1450001'), { actor });
  await setMerchant('xpay', xpayMerchant('1450002'), { actor, merchantId: '1450002' });
  apps = [shop.app, await shop.stack.createApp(), await shop.stack.createApp()];
  for (const i of [1, 2]) await bindMerchant(apps[i]?.appId ?? '', 'wechatpay', names[i] ?? '', actor);
  shoppers = await Promise.all(apps.map((app, i) => newShopper(shop.stack, app, `openid-${i}`)));
});

const place = async (i: number, key = newKey()): Promise<string> =>
  (await (shoppers[i] as Shopper).create(key, wechatpay)).body.orderNo;
const status = async (i: number, orderNo: string) =>
  (await (shoppers[i] as Shopper).get(`/recharge/${orderNo}`)).body.status;
const ordersAt = (orderNo: string) =>
  mocks.map((mock) => mock.orders().some(({ outTradeNo }) => outTradeNo === orderNo));

describe('several merchants of one provider', () => {
  test('each get the orders of their apps, and their notifications and refunds come to one address', async () => {
    for (const i of [0, 1, 2]) {
      const orderNo = await place(i);
      expect(ordersAt(orderNo)).toEqual([0, 1, 2].map((at) => at === i));
      await mocks[i]?.pay(orderNo);
      expect(await status(i, orderNo)).toBe('paid');
      const refund = await requestRefund({ orderNo, amountFen: 600, key: 'k' });
      await mocks[i]?.refundResult(refund.refundNo, 'SUCCESS');
      expect(await status(i, orderNo)).toBe('refunded');
    }
    const accepted = mocks.flatMap((mock) => mock.notifications()).map(({ flawsAccepted }) => flawsAccepted);
    expect(new Set(accepted)).toEqual(new Set([0]));
  });

  test('cost no further request: an order of an app with its own merchant asks Redis once and MySQL once', async () => {
    for (const i of [0, 1, 2]) {
      await place(i);
      await shop.stack.resetCounters();
      await place(i);
      expect(await shop.stack.counters()).toMatchObject({ redisRequests: 1, mysqlRequests: 1 });
    }
  });

  test('keep their orders when the app gets another one: the same key is paid where it was', async () => {
    const key = newKey();
    const orderNo = await place(1, key);
    await bindMerchant(apps[1]?.appId ?? '', 'wechatpay', null, actor);
    const again = await (shoppers[1] as Shopper).create(key, wechatpay);
    expect(again).toMatchObject({ status: 201, body: { orderNo, payment: { signType: 'RSA' } } });
    expect(ordersAt(orderNo)).toEqual([false, true, false]);
    expect(ordersAt(await place(1))).toEqual([true, false, false]);
    await bindMerchant(apps[1]?.appId ?? '', 'wechatpay', '1900000002', actor);
    expect(ordersAt(await place(1))).toEqual([false, true, false]);
  });

  test('are named exactly: a number with several mini-programs, an unknown one and an unknown app are refused', async () => {
    const bind = (appId: string, name: string) => bindMerchant(appId, 'wechatpay', name, actor);
    await expect(bind(shop.app.appId, '1900000001')).rejects.toThrow(/several mini-programs/);
    await expect(bind(shop.app.appId, '1900000009')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    await expect(bind('no-such-app', '1900000002')).rejects.toMatchObject({ code: 'NOT_FOUND' });
    const other = setMerchant('wechatpay', mocks[1]?.config, { actor, merchantId: '1900000001' });
    await expect(other).rejects.toMatchObject({ code: 'INVALID_INPUT', refusal: { errors: [{ path: 'merchant' }] } });
  });

  test('never take the place of one that was removed: an app that names it has no such provider', async () => {
    const remove = (force: boolean) => removeMerchant('wechatpay', '1900000002', { actor, force });
    await expect(remove(false)).rejects.toThrow(/1 apps name it/);
    await remove(true);
    const refused = await (shoppers[1] as Shopper).create(newKey(), wechatpay);
    expect(refused).toMatchObject({
      status: 400,
      body: { errors: [{ path: 'provider', message: 'no such provider' }] },
    });
    expect((await (shoppers[1] as Shopper).get('/recharge/params')).body.providers).toEqual(['sandbox', 'xpay']);
    expect((await (shoppers[0] as Shopper).get('/recharge/params')).body.providers).toEqual([
      'sandbox',
      'wechatpay',
      'xpay',
    ]);
    await setMerchant('wechatpay', mocks[1]?.config, { actor, merchantId: '1900000002' });
  });

  test('are not exchanged in the table: settings in the row of another merchant are not used', async () => {
    const [[row]] = (await shop.stack.mysql.query(
      "SELECT sealed_config FROM merchants WHERE merchant_id = '1900000002'",
    )) as unknown as [[{ sealed_config: string }]];
    const put = (sealed: string, appid: string) =>
      shop.stack.mysql.query(
        "UPDATE merchants SET sealed_config = ? WHERE merchant_id = '1900000001' AND provider_app_id = ?",
        [sealed, appid],
      );
    await put(row.sealed_config, 'wxmock0000000003');
    await shop.stack.flush();
    const refused = await (shoppers[2] as Shopper).create(newKey(), wechatpay);
    expect(refused).toMatchObject({ status: 400, body: { code: 'INVALID_INPUT' } });
    const { config } = mocks[2] as MockWechatPay;
    await setMerchant('wechatpay', config, { actor, merchantId: config.mchId });
  });
});

describe('a notification that WeChat signed', () => {
  const notify = async (content: object, key = identity.apiV3Key) => {
    const resource = createSigner({ ...identity, apiV3Key: key }).seal(JSON.stringify(content), 'transaction');
    const body = JSON.stringify({ id: 'n', event_type: 'TRANSACTION.SUCCESS', resource });
    const headers = createSigner(identity).sign(body, 'public-key', Date.now());
    let answer = {};
    const alarms = await alarmsOf(async () => {
      answer = await shop.stack.send('POST', '/recharge/notify/wechatpay', headers, body);
    });
    return { answer, alarms };
  };
  const paid = (change: object) => ({
    ...{
      appid: identity.appId,
      mchid: identity.mchId,
      out_trade_no: 'R23456',
      transaction_id: '42',
      trade_state: 'SUCCESS',
    },
    ...{ success_time: '2026-01-01T00:00:00+08:00', amount: { total: 600, currency: 'CNY' }, ...change },
  });

  test.each([
    ['of a merchant number that is not set here', paid({ mchid: '1900000009' }), identity.apiV3Key, 'WRONG_MERCHANT'],
    ['of a mini-program that is not set here', paid({ appid: 'wxother' }), identity.apiV3Key, 'WRONG_MERCHANT'],
    ['that no APIv3 key of ours opens', paid({}), 'k'.repeat(32), 'UNDECRYPTABLE'],
    ['of a form that is not known here', paid({ trade_state: 'NEW' }), identity.apiV3Key, 'MALFORMED'],
  ])('and %s is a mismatch with an alarm, not a forgery', async (_, content, key, difference) => {
    const { answer, alarms } = await notify(content, key);
    expect(answer).toMatchObject({ status: 409, body: { code: 'NOTICE_MISMATCH' } });
    expect(alarms).toMatchObject([{ code: 'notification-mismatch', provider: 'wechatpay', difference }]);
    expect(JSON.stringify(alarms)).not.toContain('R23456');
  });

  test('and that is for one of ours raises no alarm, also if an earlier merchant cannot read it', async () => {
    const orderNo = await place(2);
    expect(await alarmsOf(() => (mocks[2] as MockWechatPay).pay(orderNo))).toEqual([]);
    expect(await status(2, orderNo)).toBe('paid');
  });
});

describe('several merchants of virtual payment', () => {
  const paid = (orderNo: string) => ({
    ...{
      Event: 'xpay_goods_deliver_notify',
      OpenId: 'o',
      OutTradeNo: orderNo,
      Env: 0,
      CreateTime: 1,
      MsgType: 'event',
    },
    WeChatPayInfo: { TransactionId: `42-${orderNo}` },
    GoodsInfo: { ProductId: 'coins-60', Quantity: 1, ActualPrice: 600, Attach: orderNo },
  });

  let logins = 0;
  test('of one mini-program share its message push: the order decides whose payment it is', async () => {
    const app = await shop.stack.createApp();
    await bindMerchant(app.appId, 'xpay', '1450002', actor);
    for (const [buyer, offerId] of [
      [await shop.shopper(), '1450001'],
      [await newShopper(shop.stack, app), '1450002'],
    ] as const) {
      for (const address of [`/wechat/push/${sender.wechatAppid}`, '/recharge/notify/xpay']) {
        const body = { productId: 'coins-60', provider: 'xpay', code: `dev-payer-${++logins}` };
        const created = await buyer.create(newKey(), body);
        expect(created.status, created.text).toBe(201);
        const { orderNo, payment } = created.body;
        expect(JSON.parse(payment.signData)).toMatchObject({ offerId });
        expect((await pusher(shop.stack, sender, address)(paid(orderNo))).status).toBe(200);
        expect((await buyer.get(`/recharge/${orderNo}`)).body.status).toBe('paid');
      }
    }
  });
});
