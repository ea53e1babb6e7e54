import { afterAll, beforeAll, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { beijingTime } from '../../shared/recharge/wechatpay/input.ts';
import { authorization, readMerchantKey } from '../../shared/recharge/wechatpay/signature.ts';

let mock: MockWechatPay;
beforeAll(async () => {
  mock = await startMockWechatPay();
});
afterAll(() => mock.stop());

/** A signed call whose body nothing has checked. Returns the status, and the code of a refusal. */
async function post(target: string, content: object): Promise<[number, string]> {
  const { mchId, merchantSerial: serial, merchantPrivateKeyPem } = mock.config;
  const body = JSON.stringify(content);
  const signed = { mchId, serial, method: 'POST', target, body, timestamp: mock.now(), nonce: 'n' };
  const headers = { authorization: authorization(signed, readMerchantKey(merchantPrivateKeyPem)) };
  const answer = await fetch(mock.url + target, { method: 'POST', headers, body });
  const { code = '' } = (await answer.json()) as { code?: string };
  return [answer.status, code];
}

let orders = 0;
const prepay = (change: object) =>
  post('/v3/pay/transactions/jsapi', {
    ...{ appid: mock.config.appId, mchid: mock.config.mchId, out_trade_no: `order-${1000 + ++orders}` },
    ...{ notify_url: 'https://a.example/n', description: 'coins', time_expire: beijingTime(mock.now() + 600) },
    ...{ amount: { total: 600, currency: 'CNY' }, payer: { openid: 'o' }, ...change },
  });
const WRONG = [400, 'PARAM_ERROR'];

test('counts a description in bytes of UTF-8, 127 at most', async () => {
  for (const [character, most] of [
    ['枚', 42],
    ['😀', 31],
    ['a', 127],
  ] as const) {
    expect((await prepay({ description: character.repeat(most) }))[0]).toBe(200);
    expect(await prepay({ description: character.repeat(most + 1) })).toEqual(WRONG);
  }
  expect(await prepay({ description: 'half \ud83d' })).toEqual(WRONG);
});

test('refuses numbers, addresses and openids that are too long or too short', async () => {
  const wrong = [
    ...[{ out_trade_no: 'short' }, { out_trade_no: 'x'.repeat(33) }, { description: '' }],
    ...[{ payer: { openid: 'o'.repeat(129) } }, { notify_url: `https://a.example/${'x'.repeat(240)}` }],
  ];
  for (const change of wrong) expect(await prepay(change), JSON.stringify(change)).toEqual(WRONG);
});

test('counts the reason of a refund in bytes of UTF-8, 80 at most', async () => {
  await prepay({ out_trade_no: 'order-paid' });
  await mock.pay('order-paid');
  const refund = (reason: string, n: number) =>
    post('/v3/refund/domestic/refunds', {
      ...{ out_trade_no: 'order-paid', out_refund_no: `refund-${n}`, reason },
      amount: { refund: 1, total: 600, currency: 'CNY' },
    });
  expect((await refund('退'.repeat(26), 1))[0]).toBe(200);
  for (const [n, reason] of ['退'.repeat(27), '😀'.repeat(21), 'a'.repeat(81), ''].entries()) {
    expect(await refund(reason, n + 2)).toEqual(WRONG);
  }
});
