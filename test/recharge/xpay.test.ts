import { createHmac } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { makeRegistration } from '../../local/simulators/wechat-push.ts';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import type { XpayMerchant } from '../../shared/recharge/xpay/provider.ts';
import { newSender, nowSeconds, pusher } from '../support/push-sender.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

const sender = newSender();
const merchant: XpayMerchant = {
  appId: sender.wechatAppid,
  offerId: '1450001',
  env: 0,
  appKey: 'app-key-of-xpay',
  pushToken: sender.token,
  encodingAesKey: sender.encodingAesKey,
};
let shop: Shop;
let shopper: Shopper;
beforeAll(async () => {
  shop = await openShop();
  await setMerchant('xpay', merchant, { actor: 'tester' });
  shopper = await shop.shopper();
});

const order = (code?: string) => ({ productId: 'coins-60', provider: 'xpay', ...(code !== undefined && { code }) });
const place = async (n: number): Promise<string> =>
  (await shopper.create(newKey(), order(`dev-payer-${n}`))).body.orderNo;

const ADDRESS = '/recharge/notify/xpay';

/** A notification of a payment, or what `change` makes of it. */
const push = (
  orderNo: string,
  change: Parameters<ReturnType<typeof pusher>>[0] = {},
  bought: typeof change = {},
  options: Parameters<ReturnType<typeof pusher>>[1] = {},
) =>
  pusher(
    shop.stack,
    sender,
    ADDRESS,
  )(
    {
      Event: 'xpay_goods_deliver_notify',
      OpenId: 'o-payer',
      OutTradeNo: orderNo,
      Env: 0,
      WeChatPayInfo: { TransactionId: `42-${orderNo}` },
      GoodsInfo: { ProductId: 'coins-60', Quantity: 1, ActualPrice: 600, Attach: orderNo, ...bought },
      ...change,
    },
    options,
  );

describe('virtual payment', () => {
  test('an order has the arguments of wx.requestVirtualPayment, signed over the same bytes', async () => {
    const { status, body } = await shopper.create(newKey(), order('dev-payer-1'));
    expect(status).toBe(201);
    const { mode, signData, paySig, signature } = body.payment;
    expect(mode).toBe('short_series_goods');
    expect(JSON.parse(signData)).toMatchObject({ offerId: '1450001', productId: 'coins-60', goodsPrice: 600 });
    const expected = createHmac('sha256', merchant.appKey).update(`requestVirtualPayment&${signData}`).digest('hex');
    expect(paySig).toBe(expected);
    expect(signature).toMatch(/^[0-9a-f]{64}$/);
  });

  test('needs the code of a wx.login, and other providers refuse such a code', async () => {
    const invalid = { status: 400, body: { code: 'INVALID_INPUT' } };
    expect(await shopper.create(newKey(), order())).toMatchObject(invalid);
    expect(await shopper.create(newKey(), { ...order('dev-payer-2'), provider: 'sandbox' })).toMatchObject(invalid);
    const used = await shopper.create(newKey(), order('no-such-code'));
    expect(used).toMatchObject({ status: 401, body: { code: 'BAD_CREDENTIALS' } });
  });

  test('a deliver notification credits once and gets the same answer every time', async () => {
    const orderNo = await place(3);
    const before = await shopper.balance();
    for (let i = 0; i < 3; i++) {
      expect(await push(orderNo)).toMatchObject({ status: 200, body: { ErrCode: 0, ErrMsg: 'success' } });
    }
    expect(await shopper.balance()).toBe(before + 60);
  });

  test('a refund at the console or at Apple takes its units, once per refund', async () => {
    const orderNo = await place(5);
    const refund = { Event: 'xpay_refund_notify', MchOrderId: orderNo, WxRefundId: 'wx-1', RefundFee: 200, RetCode: 0 };
    expect((await push(orderNo, refund)).status).toBe(409);
    await push(orderNo);
    const before = await shopper.balance();
    expect((await push(orderNo, { ...refund, RetCode: 268_490_001 })).status).toBe(200);
    expect((await push(orderNo, { ...refund, IsMock: true })).status).toBe(200);
    expect(await shopper.balance()).toBe(before);
    for (let i = 0; i < 3; i++) {
      expect(await push(orderNo, refund)).toMatchObject({ status: 200, body: { ErrCode: 0 } });
    }
    expect(await shopper.balance()).toBe(before - 20);
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('partial_refund');
    expect((await push(orderNo, { ...refund, WxRefundId: 'wx-2', RefundFee: 401 })).status).toBe(409);
    expect((await push(orderNo, { ...refund, WxRefundId: 'wx-2', RefundFee: 400 })).status).toBe(200);
    expect(await shopper.balance()).toBe(before - 60);
    expect((await auditLedger()).findings).toEqual([]);
  });

  test('a trial notification changes nothing, and another amount, environment or signature is refused', async () => {
    const orderNo = await place(4);
    for (const IsMock of [true, 1, 'true']) expect((await push(orderNo, { IsMock })).status).toBe(200);
    expect((await push(orderNo, {}, { ActualPrice: 1 })).status).toBe(409);
    expect((await push(orderNo, { Env: 1 })).status).toBe(401);
    expect((await push('R234')).status).toBe(404);
    expect((await push(orderNo, {}, {}, { mode: 'plain' })).status).toBe(401);
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('pending');
  });

  test("WeChat's console registers the address by a signed request, and gets its own text back", async () => {
    const query = makeRegistration(sender, '4375120948345356249', { now: nowSeconds() });
    const answer = await shop.stack.send('GET', `${ADDRESS}?${query}`, {});
    expect(answer).toMatchObject({ status: 200, text: '4375120948345356249' });
    expect((await shop.stack.send('GET', `${ADDRESS}?${query.replace('nonce=', 'nonce=1')}`, {})).status).toBe(401);
    expect((await shop.stack.send('GET', '/recharge/notify/sandbox', {})).status).toBe(404);
  });
});
