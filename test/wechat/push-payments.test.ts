import { afterEach, beforeAll, describe, expect, test } from 'vitest';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import type { XpayMerchant } from '../../shared/recharge/xpay/provider.ts';
import { atTime } from '../support/clock.ts';
import { newSender, pusher, setPush } from '../support/push-sender.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

/** The mini-program has no push settings of its own: those of its merchant are used. */
const sender = newSender('wx0123456789abcdef');
/** It has push settings, and no merchant. */
const withoutMerchant = newSender();
const merchant: XpayMerchant = {
  ...{ appId: sender.wechatAppid, offerId: '1450001', env: 0, appKey: 'app-key-of-xpay' },
  pushToken: sender.token,
  encodingAesKey: sender.encodingAesKey,
};
const ANSWER = '{"ErrCode":0,"ErrMsg":"success"}';
let shop: Shop;
let shopper: Shopper;
let push: ReturnType<typeof pusher>;
let pushToOldPath: ReturnType<typeof pusher>;

beforeAll(async () => {
  shop = await openShop();
  await setMerchant('xpay', merchant, { actor: 'tester' });
  await setPush(shop.stack, withoutMerchant);
  shopper = await shop.shopper();
  push = pusher(shop.stack, sender);
  pushToOldPath = pusher(shop.stack, sender, '/recharge/notify/xpay');
});
afterEach(async () => {
  shop.stack.faults.mysql = undefined;
  expect((await auditLedger()).findings).toEqual([]);
});

let orders = 0;
async function place(): Promise<string> {
  const body = { productId: 'coins-60', provider: 'xpay', code: `dev-payer-${++orders}` };
  return (await shopper.create(newKey(), body)).body.orderNo;
}
/** All payments of one second have the same time and sender. */
const common = { ToUserName: 'gh_1', FromUserName: 'o-wechat', CreateTime: 1_700_000_000, MsgType: 'event' };
const paid = (orderNo: string, ActualPrice = 600) => ({
  ...{ ...common, Event: 'xpay_goods_deliver_notify', OpenId: 'o-payer', OutTradeNo: orderNo, Env: 0 },
  WeChatPayInfo: { TransactionId: `42-${orderNo}` },
  GoodsInfo: { ProductId: 'coins-60', Quantity: 1, ActualPrice, Attach: orderNo },
});
const refunded = (orderNo: string) => ({
  ...{ ...common, Event: 'xpay_refund_notify', OpenId: 'o-payer', MchOrderId: orderNo, WxRefundId: `wx-${orderNo}` },
  ...{ RefundFee: 600, RetCode: 0, RetMsg: 'success' },
});

describe('a payment in the message push', () => {
  test('is credited once, through the new path, the old one, and both at the same time', async () => {
    const before = await shopper.balance();
    const [first, second] = [await place(), await place()];
    for (const send of [push, push, pushToOldPath]) {
      expect(await send(paid(first))).toMatchObject({ status: 200, text: ANSWER });
    }
    const together = await Promise.all([push, pushToOldPath, push, push].map((send) => send(paid(second))));
    for (const answer of together) expect(answer).toMatchObject({ status: 200, text: ANSWER });
    expect(await shopper.balance()).toBe(before + 120);
  });

  test('is read in XML too, and the answer then is XML', async () => {
    const before = await shopper.balance();
    const text = '<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>';
    const orderNo = await place();
    for (const send of [push, pushToOldPath, push]) {
      expect(await send(paid(orderNo), { format: 'xml' })).toMatchObject({ status: 200, text });
    }
    expect(await shopper.balance()).toBe(before + 60);
  });

  test('that is repeated asks MySQL nothing, and is credited once also when Redis lost all marks', async () => {
    const orderNo = await place();
    const before = await shopper.balance();
    expect((await push(paid(orderNo))).status).toBe(200);
    await shop.stack.resetCounters();
    expect(await push(paid(orderNo))).toMatchObject({ status: 200, text: ANSWER });
    expect((await shop.stack.counters()).mysqlRequests).toBe(0);
    await shop.stack.flush();
    expect(await push(paid(orderNo))).toMatchObject({ status: 200, text: ANSWER });
    expect(await shopper.balance()).toBe(before + 60);
  });

  test('of the same second as another one is credited, too', async () => {
    const before = await shopper.balance();
    const both = [await place(), await place()];
    for (const orderNo of both) expect((await push(paid(orderNo))).status).toBe(200);
    expect(await shopper.balance()).toBe(before + 120);
  });

  test('that comes after its refund is credited, and the refund when it is repeated takes the units', async () => {
    const orderNo = await place();
    const before = await shopper.balance();
    expect((await push(refunded(orderNo))).status).toBe(409);
    expect((await push(paid(orderNo))).status).toBe(200);
    for (let i = 0; i < 2; i++) expect((await push(refunded(orderNo))).status).toBe(200);
    // An old push of the payment, signed now, changes nothing any more.
    await shop.stack.flush();
    expect((await push(paid(orderNo))).status).toBe(200);
    expect(await shopper.balance()).toBe(before);
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('refunded');
  });

  test('is refused for another amount, order or environment, and not marked as handled', async () => {
    const orderNo = await place();
    for (let i = 0; i < 2; i++) expect((await push(paid(orderNo, 1))).status).toBe(409);
    expect((await push(paid('R234'))).status).toBe(404);
    expect((await push({ ...paid(orderNo), Env: 1 })).status).toBe(401);
    expect((await push(paid(orderNo), { mode: 'plain' })).status).toBe(401);
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('pending');
  });

  test('at a mini-program without a merchant is 404, so WeChat sends it again', async () => {
    const orderNo = await place();
    expect((await pusher(shop.stack, withoutMerchant)(paid(orderNo))).status).toBe(404);
    expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('pending');
  });

  test.each(['drop-before', 'drop-after'] as const)(
    'is 503 while MySQL does not answer, and the repetition credits it once (%s)',
    async (kind) => {
      const orderNo = await place();
      const before = await shopper.balance();
      shop.stack.faults.mysql = () => ({ kind });
      expect(await push(paid(orderNo))).toMatchObject({ status: 503, body: { code: 'UNAVAILABLE' } });
      shop.stack.faults.mysql = undefined;
      // Beyond the pause after which MySQL is called again.
      await atTime(Date.now() + 3_000, async () => {
        for (let i = 0; i < 2; i++) expect(await push(paid(orderNo))).toMatchObject({ status: 200, text: ANSWER });
        expect(await shopper.balance()).toBe(before + 60);
      });
    },
  );

  test('at a mini-program with push settings of its own needs those, and at the former address those of the merchant', async () => {
    const own = newSender(sender.wechatAppid);
    await setPush(shop.stack, own);
    const orderNo = await place();
    const before = await shopper.balance();
    await shop.stack.flush();
    // Later than what a process keeps, also from the time that a test before this one set.
    await atTime(Date.now() + 12_000, async () => {
      expect((await push(paid(orderNo))).status).toBe(401);
      expect((await pusher(shop.stack, own)(paid(orderNo))).status).toBe(200);
      expect((await pushToOldPath(paid(orderNo))).status).toBe(200);
      expect(await shopper.balance()).toBe(before + 60);
    });
  });
});
