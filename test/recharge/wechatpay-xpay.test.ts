import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  deliverAnswer,
  openPush,
  type PushRefusal,
  pushEcho,
  XpayNotificationRefused,
} from '../../shared/recharge/xpay/notification.ts';
import { paySig, userSignature, virtualPayment, XpayInputError } from '../../shared/recharge/xpay/payment.ts';

const config = { offerId: '1450000001', env: 0, appKey: '12345' } as const;
const sessionKey = '9hAb/NEYUlkaMBEsmFgzig==';
const order = {
  kind: 'goods',
  outTradeNo: 'order-00000001',
  quantity: 1,
  attach: '充值',
  productId: 'coins_60',
  priceFen: 600,
} as const;

describe('the signatures of virtual payment', () => {
  it('are equal to those of the example that WeChat publishes', () => {
    const body = '{"openid": "xxx", "user_ip": "127.0.0.1", "env": 0}';
    const known = 'c37809f27c6d7fd1837ad2500a04512b66b34fd793a39a385fade56dca89a4b5';
    expect(paySig('12345', '/xpay/query_user_balance', body)).toBe(known);
    expect(paySig('12345', '/xpay/query_user_balance', `${body} `)).not.toBe(known);
  });

  it('cover the exact text that the client passes on, as computed by another implementation', () => {
    const payment = virtualPayment(config, order, sessionKey);
    expect(payment).toEqual({
      mode: 'short_series_goods',
      signData:
        '{"offerId":"1450000001","buyQuantity":1,"env":0,"currencyType":"CNY","productId":"coins_60","goodsPrice":600,"outTradeNo":"order-00000001","attach":"充值"}',
      paySig: '70a367e508c89d70bb2e273c8d58dd54bd469de5d6d8374dba28f0b28c6bbc90',
      signature: '3a2ab80fb79e3c54edbb67d0c9b365d706e72736021214c2fc4872fb99646f6b',
    });
    const coins = virtualPayment(
      config,
      { kind: 'coins', outTradeNo: 'order-00000001', quantity: 60, attach: '' },
      sessionKey,
    );
    expect(coins.mode).toBe('short_series_coin');
    expect(coins.signature).toBe(userSignature(sessionKey, coins.signData));
  });

  it('are not made for an invalid order', () => {
    const wrong = [
      { outTradeNo: '_order-0000001' },
      { outTradeNo: 'short' },
      { quantity: 0 },
      { quantity: 1.5 },
      { priceFen: 0.5 },
    ];
    for (const change of [...wrong, { productId: 'a b' }, { attach: 'x'.repeat(1025) }]) {
      expect(() => virtualPayment(config, { ...order, ...change }, sessionKey)).toThrow(XpayInputError);
    }
    expect(() => virtualPayment({ ...config, env: 2 as unknown as 1 }, order, sessionKey)).toThrow('env');
    expect(() => virtualPayment(config, order, '')).toThrow('sessionKey');
  });
});

const now = 1_700_000_000;
const appId = 'wx0123456789abcdef';
const aesKey = 'abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG';
const sealed = { appId, token: 'pushtoken', encodingAesKey: aesKey, env: 0 } as const;
const plain = { ...sealed, encodingAesKey: null };
const stamp = { timestamp: '1700000000', nonce: '1320562132' };
const plainSignature = '299b5773fc876a9b9c8018d1311515124e1a9419';
const encrypted =
  'Q3stYC6hdFzMh9T8HCvyDJBbbuBl50g3nbDc7PYoBZ3XaQ3uBKS76LO31s6P33ExLrAUadpUkq0EBbz8vVEg4onkgi0jR8AZNP9ZjOHRrEuRmegpOqa8JSbNYz8jwL2OcP+SRCuHZPNsDlbD2wErHeaP9oiH6AWfPyhRRxttiYAZn7C+T+mseNpg8E3/LmLhLUmSdZ4kKxNp4sdk1lOdxu1EQ99rtKzUXnSgj6hTj4MA9sKAJolgO92ETNi2nGixELhOUnnaYGkZQmJL2JLrLjhQc31MkFmu65m2zzSr+kl4MphJBv+K8DaPJ7WD7mOYfEoeV+peWOX/k6kLgdW3GIcMX7CinNGGMS9/ErE+/Wv8uCFpWoVQh51zWPxl5J5Q8JtSQE2BxElHD97RZYizwqs3JNuiWqAuCakpob2oq9I=';
const sealedQuery = { ...stamp, msg_signature: '357327d4dbf2f557ebd75ca73dd8e24219634550' };
const sealedBody = bytes({ ToUserName: 'gh_1', Encrypt: encrypted });
const goods = {
  Event: 'xpay_goods_deliver_notify',
  OpenId: 'o-payer-1',
  OutTradeNo: 'order-00000001',
  Env: 0,
  WeChatPayInfo: { TransactionId: '4200001' },
  GoodsInfo: { ProductId: 'coins_60', Quantity: 1, ActualPrice: 600, Attach: '充值' },
};
const expected = {
  event: 'xpay_goods_deliver_notify',
  openid: 'o-payer-1',
  outTradeNo: 'order-00000001',
  transactionId: '4200001',
  productId: 'coins_60',
  quantity: 1,
  actualPriceFen: 600,
  attach: '充值',
  trial: false,
};

function bytes(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

function refusalOf(work: () => unknown): PushRefusal | 'accepted' {
  try {
    work();
    return 'accepted';
  } catch (error) {
    if (error instanceof XpayNotificationRefused) return error.reason;
    throw error;
  }
}

describe('a deliver notification', () => {
  it('of another implementation is decrypted, and its body is proven', () => {
    expect(openPush(sealedQuery, sealedBody, sealed, now)).toEqual({ ...expected, bodyProven: true });
  });

  it('in plain mode is read, and its body is not proven', () => {
    const query = { ...stamp, signature: plainSignature };
    expect(openPush(query, bytes(goods), plain, now)).toEqual({ ...expected, bodyProven: false });
    const { GoodsInfo, ...rest } = goods;
    const coins = { ...rest, Event: 'xpay_coin_pay_notify', CoinInfo: { ...GoodsInfo, Quantity: 60 } };
    expect(openPush(query, bytes(coins), plain, now)).toMatchObject({ productId: null, quantity: 60 });
    expect(openPush(query, bytes({ ...goods, IsMock: true }), plain, now)).toMatchObject({ trial: true });
    expect(openPush(query, bytes({ ...goods, Event: 'xpay_complaint_notify' }), plain, now)).toBeNull();
  });

  it('without encryption is refused when a key is set, also with a valid signature', () => {
    const query = { ...stamp, signature: plainSignature, msg_signature: plainSignature };
    expect(refusalOf(() => openPush(query, bytes(goods), sealed, now))).toBe('PLAIN_REFUSED');
  });

  it('that was changed in any part is refused', () => {
    const changed = bytes({ Encrypt: `R${encrypted.slice(1)}` });
    expect(refusalOf(() => openPush(sealedQuery, changed, sealed, now))).toBe('BAD_SIGNATURE');
    for (const change of [{ nonce: '1320562133' }, { timestamp: '1700000001' }, { msg_signature: plainSignature }]) {
      expect(refusalOf(() => openPush({ ...sealedQuery, ...change }, sealedBody, sealed, now))).toBe('BAD_SIGNATURE');
    }
    expect(refusalOf(() => openPush(sealedQuery, sealedBody, { ...sealed, token: 'other' }, now))).toBe(
      'BAD_SIGNATURE',
    );
    expect(refusalOf(() => openPush(sealedQuery, sealedBody, { ...sealed, appId: 'wxother' }, now))).toBe('WRONG_APP');
    const otherKey = { ...sealed, encodingAesKey: `${aesKey.slice(0, -1)}A` };
    expect(['UNDECRYPTABLE', 'WRONG_APP', 'MALFORMED']).toContain(
      refusalOf(() => openPush(sealedQuery, sealedBody, otherKey, now)),
    );
  });

  it('of another environment or with a time stamp 301 s off is refused', () => {
    expect(refusalOf(() => openPush(sealedQuery, sealedBody, { ...sealed, env: 1 }, now))).toBe('WRONG_ENV');
    const query = { ...stamp, signature: plainSignature };
    for (const Env of [1, null, '', undefined]) {
      expect(refusalOf(() => openPush(query, bytes({ ...goods, Env }), plain, now))).toBe('WRONG_ENV');
    }
    const ages = [-301, -300, 300, 301].map((age) =>
      refusalOf(() => openPush(sealedQuery, sealedBody, sealed, now + age)),
    );
    expect(ages).toEqual(['STALE', 'accepted', 'accepted', 'STALE']);
  });

  it('is always answered with the same bytes', () => {
    expect(deliverAnswer).toBe('{"ErrCode":0,"ErrMsg":"success"}');
  });

  it('of any content is read, or refused with one of the declared reasons', () => {
    const texts = fc.option(fc.oneof(fc.string(), fc.constantFrom(...Object.values(sealedQuery))), { nil: undefined });
    const query = fc.record({ timestamp: texts, nonce: texts, signature: texts, msg_signature: texts });
    fc.assert(
      fc.property(
        query,
        fc.json(),
        (given, body) => void refusalOf(() => openPush(given, Buffer.from(body), sealed, now)),
      ),
    );
    const sealedWith = fc.base64String({ minLength: 4, maxLength: 200 });
    fc.assert(
      fc.property(sealedWith, (content) => {
        const parts = ['pushtoken', stamp.timestamp, stamp.nonce, content].sort().join('');
        const signed = { ...stamp, msg_signature: createHash('sha1').update(parts).digest('hex') };
        expect(refusalOf(() => openPush(signed, bytes({ Encrypt: content }), sealed, now))).not.toBe('accepted');
      }),
    );
    const plainQuery = { ...stamp, signature: plainSignature };
    const bought = fc.dictionary(fc.constantFrom('ProductId', 'Quantity', 'ActualPrice', 'Attach'), fc.jsonValue());
    fc.assert(
      fc.property(fc.oneof(bought, fc.jsonValue()), (GoodsInfo) => {
        refusalOf(() => openPush(plainQuery, bytes({ ...goods, GoodsInfo }), plain, now));
      }),
    );
  });
});

it('the push address is registered only by a signed request', () => {
  const query = { ...stamp, signature: plainSignature, echostr: '4375120948345356249' };
  expect(pushEcho(query, 'pushtoken', now)).toBe('4375120948345356249');
  expect(refusalOf(() => pushEcho(query, 'other', now))).toBe('BAD_SIGNATURE');
  expect(refusalOf(() => pushEcho({ ...query, echostr: '<script> ' }, 'pushtoken', now))).toBe('MALFORMED');
});
