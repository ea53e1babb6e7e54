import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSigner, newIdentity } from '../../local/simulators/wechatpay/identity.ts';
import { createWechatPay } from '../../shared/recharge/wechatpay/client.ts';
import { type NotificationRefusal, WechatPayNotificationRefused } from '../../shared/recharge/wechatpay/error.ts';
import { decryptResource, type Notification } from '../../shared/recharge/wechatpay/notification.ts';

const identity = newIdentity();
const signer = createSigner(identity);
const now = 1_700_000_000;
let requests = 0;

const pay = createWechatPay(
  {
    ...identity,
    platformKeys: [identity.platform.certificate, identity.platform['public-key']],
    notifyUrl: 'https://pay.example.com/notify',
    baseUrl: 'https://api.mch.weixin.qq.com',
  },
  () => {
    requests += 1;
    return Promise.reject(new Error('a notification makes no request'));
  },
);

const transaction = {
  appid: identity.appId,
  mchid: identity.mchId,
  out_trade_no: 'order-0001',
  transaction_id: '4200001',
  trade_state: 'SUCCESS',
  success_time: '2023-11-15T06:13:20+08:00',
  payer: { openid: 'openid-1' },
  amount: { total: 600, payer_total: 500, currency: 'CNY', payer_currency: 'CNY' },
};
const refund = {
  mchid: identity.mchId,
  out_trade_no: 'order-0001',
  transaction_id: '4200001',
  out_refund_no: 'refund-1',
  refund_id: '5030001',
  refund_status: 'SUCCESS',
  success_time: '2023-11-16T06:13:20+08:00',
  amount: { total: 600, refund: 100, payer_total: 600, payer_refund: 100 },
};

function envelope(content: unknown, event = 'TRANSACTION.SUCCESS', change: object = {}): string {
  const resource = { ...signer.seal(JSON.stringify(content), 'transaction'), ...change };
  return JSON.stringify({ id: 'notification-1', event_type: event, resource_type: 'encrypt-resource', resource });
}

function verify(body: string, kind: 'certificate' | 'public-key' = 'public-key'): Notification {
  return pay.verifyNotification(signer.sign(body, kind, now * 1000), Buffer.from(body), now);
}

function refusalOf(work: () => unknown): NotificationRefusal | 'accepted' {
  try {
    work();
    return 'accepted';
  } catch (error) {
    if (error instanceof WechatPayNotificationRefused) return error.reason;
    throw error;
  }
}

describe('a notification', () => {
  it('of a payment gives the transaction, signed by certificate or by public key', () => {
    for (const kind of ['certificate', 'public-key'] as const) {
      expect(verify(envelope(transaction), kind)).toEqual({
        kind: 'payment',
        id: 'notification-1',
        event: 'TRANSACTION.SUCCESS',
        transaction: {
          paid: true,
          tradeState: 'SUCCESS',
          outTradeNo: 'order-0001',
          transactionId: '4200001',
          totalFen: 600,
          currency: 'CNY',
          openid: 'openid-1',
          paidAt: '2023-11-14T22:13:20.000Z',
        },
      });
    }
  });

  it('of a refund gives the refund, and one of another event only the name of the event', () => {
    expect(verify(envelope(refund, 'REFUND.SUCCESS'))).toMatchObject({
      kind: 'refund',
      refund: { outRefundNo: 'refund-1', status: 'SUCCESS', refundFen: 100, refundedAt: '2023-11-15T22:13:20.000Z' },
    });
    expect(verify(envelope({}, 'COUPON.USE'))).toEqual({ kind: 'other', id: 'notification-1', event: 'COUPON.USE' });
  });

  it('for another merchant or app is refused', () => {
    expect(refusalOf(() => verify(envelope({ ...transaction, mchid: '1900000002' })))).toBe('WRONG_MERCHANT');
    expect(refusalOf(() => verify(envelope({ ...transaction, appid: 'wxother' })))).toBe('WRONG_MERCHANT');
    expect(refusalOf(() => verify(envelope({ ...refund, mchid: '1' }, 'REFUND.SUCCESS')))).toBe('WRONG_MERCHANT');
  });

  it('with a malformed amount, time or number or an unknown state is refused', () => {
    const wrong = [
      { amount: { total: 6.5, currency: 'CNY' } },
      { amount: { total: '600', currency: 'CNY' } },
      { amount: { total: -1, currency: 'CNY' } },
      { amount: null },
      { transaction_id: undefined },
      { trade_state: 'PAID' },
      { success_time: 'yesterday' },
      { out_trade_no: 7 },
    ];
    for (const change of wrong) {
      expect(refusalOf(() => verify(envelope({ ...transaction, ...change })))).toBe('MALFORMED');
    }
    for (const change of [{ amount: { total: 600, refund: 601 } }, { refund_status: 'DONE' }, { success_time: '' }]) {
      expect(refusalOf(() => verify(envelope({ ...refund, ...change }, 'REFUND.SUCCESS')))).toBe('MALFORMED');
    }
  });

  it('with an unknown serial is refused without a request', () => {
    const body = envelope(transaction);
    const headers = { ...signer.sign(body, 'certificate', now * 1000), 'Wechatpay-Serial': 'PUB_KEY_ID_0123' };
    expect(refusalOf(() => pay.verifyNotification(headers, Buffer.from(body), now))).toBe('UNKNOWN_SERIAL');
    expect(requests).toBe(0);
  });

  it('that was parsed and serialised again is refused, because the signature covers its bytes', () => {
    const body = envelope(transaction).replace('{"id"', '{ "id"');
    const headers = signer.sign(body, 'certificate', now * 1000);
    const reserialised = Buffer.from(JSON.stringify(JSON.parse(body)));
    expect(refusalOf(() => pay.verifyNotification(headers, reserialised, now))).toBe('BAD_SIGNATURE');
  });
});

describe('the encrypted part', () => {
  const apiV3Key = '0123456789abcdef0123456789ABCDEF';
  const known = {
    algorithm: 'AEAD_AES_256_GCM',
    nonce: 'fdasflkja484',
    associated_data: 'transaction',
    ciphertext: 'bz1kVndYkCFlgKSe7VZeuBxCb6jr2XsNTRgxMlnr/CHHZsqN3nUlZ5YYC8sGNBHZGbM+/JFc',
  };

  it('of another implementation is decrypted, with and without associated data', () => {
    expect(decryptResource(known, apiV3Key)?.toString()).toBe('{"mchid":"1900000001","note":"充值"}');
    const { associated_data: _, ...bare } = { ...known, ciphertext: 'b2JJVoUJQcBzNmw/nGV+2YL1' };
    expect(decryptResource(bare, apiV3Key)?.toString()).toBe('{}');
  });

  it('is not decrypted when one byte of text, tag, nonce, associated data or key differs', () => {
    const sealed = Buffer.from(known.ciphertext, 'base64');
    for (let index = 0; index < sealed.length; index += 1) {
      const changed = Buffer.from(sealed);
      changed[index] = (changed[index] ?? 0) ^ 128;
      expect(decryptResource({ ...known, ciphertext: changed.toString('base64') }, apiV3Key)).toBeNull();
    }
    for (const change of [
      { nonce: 'fdasflkja485' },
      { nonce: 'fdasflkja4840000' },
      { associated_data: 'refund' },
      { associated_data: undefined },
      { associated_data: 1 },
      { algorithm: 'AEAD_AES_128_GCM' },
      { ciphertext: sealed.subarray(0, -1).toString('base64') },
      { ciphertext: sealed.subarray(-16).toString('base64') },
      { ciphertext: `${known.ciphertext}\n` },
    ]) {
      expect(decryptResource({ ...known, ...change }, apiV3Key)).toBeNull();
    }
    expect(decryptResource(known, apiV3Key.toLowerCase())).toBeNull();
  });

  it('is refused when it is encrypted with another key, also in a signed notification', () => {
    const change = { ciphertext: known.ciphertext, nonce: known.nonce };
    expect(refusalOf(() => verify(envelope(transaction, 'TRANSACTION.SUCCESS', change)))).toBe('UNDECRYPTABLE');
  });
});

describe('any other input', () => {
  const reasons = ['MALFORMED', 'STALE', 'UNKNOWN_SERIAL', 'BAD_SIGNATURE', 'UNDECRYPTABLE', 'WRONG_MERCHANT'];

  it('is refused with one of the declared reasons, also when it is signed', () => {
    const anyHeaders = fc.dictionary(
      fc.constantFrom('wechatpay-timestamp', 'Wechatpay-Nonce', 'wechatpay-serial', 'WECHATPAY-SIGNATURE', '__proto__'),
      fc.oneof(fc.string(), fc.constant(`${now}`), fc.array(fc.string()), fc.constant(undefined)),
    );
    const anyBody = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(anyHeaders, anyBody, (headers, bytes) => {
        expect(reasons).toContain(refusalOf(() => pay.verifyNotification(headers, Buffer.from(bytes), now)));
      }),
    );
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom('TRANSACTION.SUCCESS', 'REFUND.SUCCESS'), (content, event) => {
        expect(reasons).toContain(refusalOf(() => verify(envelope(content, event))));
      }),
      { numRuns: 50 },
    );
    fc.assert(
      fc.property(fc.json(), (body) => {
        expect(reasons).toContain(refusalOf(() => verify(body)));
      }),
      { numRuns: 50 },
    );
  });

  it('is refused when it is too large, nested too deeply or not UTF-8', () => {
    expect(refusalOf(() => verify(`"${'x'.repeat(65_536)}"`))).toBe('MALFORMED');
    expect(refusalOf(() => verify('['.repeat(30_000)))).toBe('MALFORMED');
    const bytes = Buffer.from([0x7b, 0xff, 0x7d]);
    expect(refusalOf(() => pay.verifyNotification({}, bytes, now))).toBe('MALFORMED');
    expect(refusalOf(() => pay.verifyNotification({}, 'text' as unknown as Buffer, now))).toBe('MALFORMED');
  });
});
