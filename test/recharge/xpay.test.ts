import { createCipheriv, createHash, createHmac, randomBytes } from 'node:crypto';
import { beforeAll, describe, expect, test } from 'vitest';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { setMerchant } from '../../shared/recharge/merchant.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import type { XpayMerchant } from '../../shared/recharge/xpay/provider.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

const merchant: XpayMerchant = {
  appId: 'wx0123456789abcdef',
  offerId: '1450001',
  env: 0,
  appKey: 'app-key-of-xpay',
  pushToken: 'pushtoken',
  encodingAesKey: randomBytes(32).toString('hex').slice(0, 43),
};
let shop: Shop;
let shopper: Shopper;
beforeAll(async () => {
  shop = await openShop();
  await setMerchant('xpay', merchant);
  shopper = await shop.shopper();
});

const order = (code?: string) => ({ productId: 'coins-60', provider: 'xpay', ...(code !== undefined && { code }) });
const place = async (n: number): Promise<string> =>
  (await shopper.create(newKey(), order(`dev-payer-${n}`))).body.orderNo;

function signedQuery(...more: string[]) {
  const stamp = { timestamp: String(Math.floor(Date.now() / 1000)), nonce: randomBytes(8).toString('hex') };
  const parts = [merchant.pushToken, stamp.timestamp, stamp.nonce, ...more].sort().join('');
  return { ...stamp, signature: createHash('sha1').update(parts).digest('hex') };
}

/** Sends a notification as WeChat does in its encrypted mode. */
async function push(orderNo: string, change: Record<string, unknown> = {}, bought: Record<string, unknown> = {}) {
  const content = JSON.stringify({
    Event: 'xpay_goods_deliver_notify',
    OpenId: 'o-payer',
    OutTradeNo: orderNo,
    Env: 0,
    WeChatPayInfo: { TransactionId: `42-${orderNo}` },
    GoodsInfo: { ProductId: 'coins-60', Quantity: 1, ActualPrice: 600, Attach: orderNo, ...bought },
    ...change,
  });
  const length = Buffer.alloc(4);
  length.writeUInt32BE(Buffer.byteLength(content));
  const plain = Buffer.concat([randomBytes(16), length, Buffer.from(content), Buffer.from(merchant.appId)]);
  const padding = 32 - (plain.length % 32);
  const key = Buffer.from(`${merchant.encodingAesKey}=`, 'base64');
  const cipher = createCipheriv('aes-256-cbc', key, key.subarray(0, 16)).setAutoPadding(false);
  const padded = Buffer.concat([plain, Buffer.alloc(padding, padding)]);
  const Encrypt = Buffer.concat([cipher.update(padded), cipher.final()]).toString('base64');
  const { signature, ...stamp } = signedQuery(Encrypt);
  const query = new URLSearchParams({ ...stamp, msg_signature: signature });
  return shop.stack.send('POST', `/recharge/notify/xpay?${query}`, {}, JSON.stringify({ Encrypt }));
}

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
    await expect(requestRefund({ orderNo, amountFen: 1, key: 'k' })).rejects.toMatchObject({ code: 'INVALID_INPUT' });
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
    const plain = JSON.stringify({ Event: 'xpay_goods_deliver_notify', OutTradeNo: orderNo });
    const query = new URLSearchParams(signedQuery());
    expect((await shop.stack.send('POST', `/recharge/notify/xpay?${query}`, {}, plain)).status).toBe(401);
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('pending');
  });

  test("WeChat's console registers the address by a signed request, and gets its own text back", async () => {
    const query = new URLSearchParams({ ...signedQuery(), echostr: '4375120948345356249' });
    const answer = await shop.stack.send('GET', `/recharge/notify/xpay?${query}`, {});
    expect(answer).toMatchObject({ status: 200, text: '4375120948345356249' });
    query.set('nonce', 'other');
    expect((await shop.stack.send('GET', `/recharge/notify/xpay?${query}`, {})).status).toBe(401);
    expect((await shop.stack.send('GET', '/recharge/notify/sandbox', {})).status).toBe(404);
  });
});
