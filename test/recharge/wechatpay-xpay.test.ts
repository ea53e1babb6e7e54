import fc from 'fast-check';
import { beforeAll, describe, expect, it, vi } from 'vitest';
import { readXpayEvent, xpayAnswer } from '../../shared/recharge/xpay/notification.ts';
import { paySig, userSignature, virtualPayment, XpayInputError } from '../../shared/recharge/xpay/payment.ts';
import { PushRefused } from '../../shared/wechat/push/refused.ts';

beforeAll(() => void vi.stubEnv('LOG', 'off'));

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

function refusalOf(push: object, env: 0 | 1 = 0): PushRefused['reason'] | 'accepted' {
  try {
    readXpayEvent(push, env);
    return 'accepted';
  } catch (error) {
    if (error instanceof PushRefused) return error.reason;
    throw error;
  }
}

describe('an event of virtual payment', () => {
  it('is read, with numbers or, as in XML, with texts', () => {
    expect(readXpayEvent(goods, 0)).toEqual(expected);
    const inXml = { ...goods, Env: '0', GoodsInfo: { ...goods.GoodsInfo, Quantity: '1', ActualPrice: '600' } };
    expect(readXpayEvent(inXml, 0)).toEqual(expected);
    const { GoodsInfo, ...rest } = goods;
    const coins = { ...rest, Event: 'xpay_coin_pay_notify', CoinInfo: { ...GoodsInfo, Quantity: 60 } };
    expect(readXpayEvent(coins, 0)).toMatchObject({ productId: null, quantity: 60 });
    expect(readXpayEvent({ ...goods, IsMock: true }, 0)).toMatchObject({ trial: true });
    expect(readXpayEvent({ ...goods, Event: 'xpay_complaint_notify' }, 0)).toBeNull();
  });

  it('of another environment, or with an amount that is no whole number, is refused', () => {
    expect(refusalOf(goods, 1)).toBe('WRONG_ENV');
    for (const Env of [1, '1', null, '', '00', undefined]) expect(refusalOf({ ...goods, Env })).toBe('WRONG_ENV');
    for (const ActualPrice of [-1, 0.5, '6e2', ' 600', '0600', '600.0', '9'.repeat(16), null]) {
      expect(refusalOf({ ...goods, GoodsInfo: { ...goods.GoodsInfo, ActualPrice } }), String(ActualPrice)).toBe(
        'MALFORMED',
      );
    }
  });

  it('is always answered with the same bytes, in the format of the push', () => {
    expect(JSON.stringify(xpayAnswer('json'))).toBe('{"ErrCode":0,"ErrMsg":"success"}');
    expect(xpayAnswer('xml')).toBe('<xml><ErrCode>0</ErrCode><ErrMsg><![CDATA[success]]></ErrMsg></xml>');
  });

  it('of any content is read, or refused with one of the declared reasons', () => {
    const bought = fc.dictionary(fc.constantFrom('ProductId', 'Quantity', 'ActualPrice', 'Attach'), fc.jsonValue());
    fc.assert(fc.property(fc.oneof(bought, fc.jsonValue()), (GoodsInfo) => void refusalOf({ ...goods, GoodsInfo })));
  });
});
