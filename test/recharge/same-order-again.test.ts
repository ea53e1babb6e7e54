import { beforeAll, describe, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { putProduct } from '../../shared/recharge/catalogue.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { alarmsOf } from '../support/alarms.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { newKey, openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

/** The same Idempotency-Key again: WeChat Pay refuses other values under the same order number. */
let shop: Shop;
let shopper: Shopper;
let mock: MockWechatPay;
const wechatpay = { productId: 'coins-60', provider: 'wechatpay' };
const actor = 'tester';

beforeAll(async () => {
  shop = await openShop();
  mock = await startMockWechatPay({ notifyUrl: `${shop.stack.url}/recharge/notify/wechatpay`, speed: 100 });
  atEndOfFile(() => mock.stop());
  await setMerchant('wechatpay', mock.config, { actor });
  shopper = await shop.shopper('openid-of-a-payer');
});

const sent = (orderNo: string) => mock.orders().find(({ outTradeNo }) => outTradeNo === orderNo);
const setTitle = (title: string) => putProduct({ productId: 'coins-60', title, amountFen: 600, units: 60 }, actor);
/** Places an order, does the change, and repeats the call. */
async function again(change: (orderNo: string) => Promise<unknown>) {
  const key = newKey();
  const first = await shopper.create(key, wechatpay);
  expect(first.status, first.text).toBe(201);
  const before = sent(first.body.orderNo);
  await change(first.body.orderNo);
  let second = first;
  const alarms = await alarmsOf(async () => {
    second = await shopper.create(key, wechatpay);
  });
  expect(alarms).toEqual([]);
  expect(second).toMatchObject({ status: 201, body: { orderNo: first.body.orderNo, payment: { signType: 'RSA' } } });
  expect({ ...sent(first.body.orderNo), prepayId: '' }).toEqual({ ...before, prepayId: '' });
  return { orderNo: first.body.orderNo as string, before };
}

describe('an order that is placed again is sent as it was sent first', () => {
  test('after the product got another title', async () => {
    await again(() => setTitle('60 coins, now with a longer name'));
    await setTitle('60 coins');
  });

  test('after the address for notifications changed', async () => {
    const notifyUrl = `${mock.config.notifyUrl}/`;
    const { before } = await again(() => setMerchant('wechatpay', { ...mock.config, notifyUrl }, { actor }));
    expect(before?.notifyUrl).toBe(mock.config.notifyUrl);
    await setMerchant('wechatpay', mock.config, { actor });
  });

  test('after the user got another openid, or has none any more', async () => {
    for (const openid of ['openid-of-another-login', null]) {
      await again(() =>
        shop.stack.mysql.query('UPDATE users SET wechat_openid = ? WHERE user_id = ?', [openid, shopper.userId]),
      );
      await shop.stack.mysql.query('UPDATE users SET wechat_openid = ? WHERE user_id = ?', [
        'openid-of-a-payer',
        shopper.userId,
      ]);
    }
  });

  test('also if the title in the cache was an older one when it was placed', async () => {
    await shopper.get('/recharge/params');
    await shop.stack.mysql.query("UPDATE products SET title = '60 new coins' WHERE product_id = 'coins-60'");
    const { before } = await again(() => shop.stack.flush());
    expect(before?.description).toBe('60 new coins');
    await setTitle('60 coins');
  });

  test.each(['六十枚金币'.repeat(20), '👨‍👩‍👧‍👦'.repeat(9), `${'x'.repeat(98)}枚`])(
    'with a title that WeChat Pay would not take as a whole: %s',
    async (title) => {
      await setTitle(title);
      const { before } = await again(async () => {});
      expect(title.startsWith(before?.description ?? '?')).toBe(true);
      expect(Buffer.byteLength(before?.description ?? '')).toBeLessThanOrEqual(127);
      await setTitle('60 coins');
    },
  );

  test('and one of a former release, which kept nothing, is sent as before', async () => {
    await again((orderNo) =>
      shop.stack.mysql.query(
        'UPDATE recharge_orders SET title = NULL, payer_openid = NULL, notify_url = NULL WHERE order_no = ?',
        [orderNo],
      ),
    );
  });
});

test('the openid of a payer is deleted from the orders when the user is erased, also of a merged user', async () => {
  const orderOf = async (openid: string) => {
    const one = await shop.shopper(openid);
    return { ...one, orderNo: (await one.create(newKey(), wechatpay)).body.orderNo as string };
  };
  const [user, merged, other] = [await orderOf('openid-1'), await orderOf('openid-2'), await orderOf('openid-3')];
  await shop.stack.mysql.query('UPDATE users SET merged_into = ? WHERE user_id = ?', [user.userId, merged.userId]);
  const { forgetPayer } = await import('../../shared/recharge/payer.ts');
  const { withTransaction } = await import('../../shared/db.ts');
  await withTransaction(({ write }) => forgetPayer(user.userId, write));
  const [rows] = await shop.stack.mysql.query(
    'SELECT order_no, payer_openid FROM recharge_orders WHERE order_no IN (?, ?, ?)',
    [user.orderNo, merged.orderNo, other.orderNo],
  );
  const openids = Object.fromEntries(
    (rows as Array<{ order_no: string; payer_openid: string | null }>).map((row) => [row.order_no, row.payer_openid]),
  );
  expect(openids).toEqual({ [user.orderNo]: null, [merged.orderNo]: null, [other.orderNo]: 'openid-3' });
});
