import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  verify,
  X509Certificate,
} from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createSigner, newIdentity } from '../../local/simulators/wechatpay/identity.ts';
import { createWechatPay } from '../../shared/recharge/wechatpay/client.ts';
import { WechatPayInputError } from '../../shared/recharge/wechatpay/error.ts';
import type { Http, HttpRequest } from '../../shared/recharge/wechatpay/exchange.ts';
import type { WechatPayConfig } from '../../shared/recharge/wechatpay/input.ts';
import { readPlatformKeys, signatureFault } from '../../shared/recharge/wechatpay/signature.ts';

const identity = newIdentity();
const signer = createSigner(identity);
const { certificate, 'public-key': publicKey } = identity.platform;
const keys = readPlatformKeys([certificate, publicKey]);
const now = 1_700_000_000;
const body = Buffer.from('{"id":"1","note":"充值"}');

const config: WechatPayConfig = {
  appId: identity.appId,
  mchId: identity.mchId,
  merchantSerial: identity.merchantSerial,
  merchantPrivateKeyPem: identity.merchantPrivateKeyPem,
  apiV3Key: identity.apiV3Key,
  platformKeys: [certificate, publicKey],
  notifyUrl: 'https://pay.example.com/recharge/notify/wechatpay',
  baseUrl: 'https://api.mch.weixin.qq.com',
};
const noHttp: Http = () => Promise.reject(new Error('no request expected'));

/** RSASSA-PKCS1-v1_5 with SHA-256 (RFC 8017, 8.2.1), computed with big integers, without node:crypto's signing. */
function signByHand(pem: string, message: string): string {
  const { n, d } = createPrivateKey(pem).export({ format: 'jwk' });
  const [modulus, exponent] = [n, d].map((part) => BigInt(`0x${Buffer.from(part ?? '', 'base64url').toString('hex')}`));
  const digestInfo = `3031300d060960864801650304020105000420${createHash('sha256').update(message).digest('hex')}`;
  const padded = `0001${'ff'.repeat(256 - 3 - digestInfo.length / 2)}00${digestInfo}`;
  let [result, base, power] = [1n, BigInt(`0x${padded}`), exponent as bigint];
  for (; power > 0n; power >>= 1n) {
    if (power & 1n) result = (result * base) % (modulus as bigint);
    base = (base * base) % (modulus as bigint);
  }
  return Buffer.from(result.toString(16).padStart(512, '0'), 'hex').toString('base64');
}

describe('a signature of this backend', () => {
  it('in paySign is the RSA signature over four lines, as computed by hand', () => {
    const payment = createWechatPay(config, noHttp).payment('wx201410272009395522657a690389285100', now, 'nonce123');
    const lines = `${identity.appId}\n1700000000\nnonce123\nprepay_id=wx201410272009395522657a690389285100\n`;
    expect(payment).toEqual({
      timeStamp: '1700000000',
      nonceStr: 'nonce123',
      package: 'prepay_id=wx201410272009395522657a690389285100',
      signType: 'RSA',
      paySign: signByHand(identity.merchantPrivateKeyPem, lines),
    });
  });

  it('in a request is WECHATPAY2-SHA256-RSA2048 over method, target, time, nonce and body', async () => {
    const sent: HttpRequest[] = [];
    const http: Http = async (request) => {
      sent.push(request);
      throw new Error('no answer');
    };
    const pay = createWechatPay(config, http, () => now);
    const order = { outTradeNo: 'order|0001', amountFen: 100, openid: 'openid-1', description: '60 coins' };
    await expect(pay.prepay({ ...order, expiresAtSeconds: now + 600 })).rejects.toMatchObject({ code: 'NETWORK' });
    await expect(pay.queryOrder('order|0001')).rejects.toMatchObject({ code: 'NETWORK' });
    const merchantKey = createPublicKey(identity.merchantPrivateKeyPem);
    for (const { method, url, headers, body: sentBody } of sent) {
      const form =
        /^WECHATPAY2-SHA256-RSA2048 mchid="(\d+)",nonce_str="(\w{32})",signature="(.+)",timestamp="(\d+)",serial_no="(\w+)"$/;
      const [, mchId, nonce, signature, timestamp, serial] = form.exec(headers.authorization ?? '') ?? [];
      const message = `${method}\n${url.slice(config.baseUrl.length)}\n${timestamp}\n${nonce}\n${sentBody ?? ''}\n`;
      expect(verify('RSA-SHA256', Buffer.from(message), merchantKey, Buffer.from(signature ?? '', 'base64'))).toBe(
        true,
      );
      expect([mchId, serial, timestamp]).toEqual([identity.mchId, identity.merchantSerial, String(now)]);
      expect(headers['wechatpay-serial']).toBe(publicKey.id);
    }
    expect(sent.map(({ url }) => url.slice(config.baseUrl.length))).toEqual([
      '/v3/pay/transactions/jsapi',
      `/v3/pay/transactions/out-trade-no/order%7C0001?mchid=${identity.mchId}`,
    ]);
    expect(JSON.parse(sent[0]?.body ?? '')).toMatchObject({
      amount: { total: 100, currency: 'CNY' },
      time_expire: '2023-11-15T06:23:20+08:00',
    });
  });
});

describe('the check of a signature of WeChat', () => {
  const headers = signer.sign(body.toString(), 'certificate', now * 1000);

  it('accepts a signature computed by hand, by certificate and by public key', () => {
    for (const { id, privateKeyPem } of [certificate, publicKey]) {
      const signature = signByHand(privateKeyPem, `${now}\nabc\n${body}\n`);
      const given = { 'Wechatpay-Timestamp': `${now}`, 'Wechatpay-Nonce': 'abc', 'Wechatpay-Serial': id };
      expect(signatureFault({ ...given, 'Wechatpay-Signature': signature }, body, keys, now)).toBeNull();
    }
  });

  it('refuses a body with one byte changed, added or removed', () => {
    for (let index = 0; index < body.length; index += 1) {
      const changed = Buffer.from(body);
      changed[index] = (changed[index] ?? 0) ^ 1;
      expect(signatureFault(headers, changed, keys, now)).toBe('BAD_SIGNATURE');
    }
    expect(signatureFault(headers, body.subarray(1), keys, now)).toBe('BAD_SIGNATURE');
    expect(signatureFault(headers, Buffer.concat([body, Buffer.from('\n')]), keys, now)).toBe('BAD_SIGNATURE');
  });

  it('refuses a header that is changed, missing, repeated or given in two spellings', () => {
    const other = { 'Wechatpay-Timestamp': `${now + 1}`, 'Wechatpay-Nonce': 'other', 'Wechatpay-Serial': publicKey.id };
    for (const [name, value] of Object.entries(other)) {
      expect(signatureFault({ ...headers, [name]: value }, body, keys, now)).toBe('BAD_SIGNATURE');
    }
    for (const [name, value] of Object.entries(headers)) {
      expect(signatureFault({ ...headers, [name]: undefined }, body, keys, now)).toBe('MALFORMED');
      expect(signatureFault({ ...headers, [name]: [value, value] }, body, keys, now)).toBe('MALFORMED');
      expect(signatureFault({ ...headers, [name.toLowerCase()]: value }, body, keys, now)).toBe('MALFORMED');
    }
  });

  it('refuses bytes that were moved from the body to the nonce', () => {
    const nonce = headers['Wechatpay-Nonce'] ?? '';
    const moved = { ...headers, 'Wechatpay-Nonce': `${nonce}\n{"id":"1",` };
    expect(signatureFault(moved, body.subarray(10), keys, now)).toBe('MALFORMED');
  });

  it('accepts a time stamp up to 300 seconds off, and refuses one of 301', () => {
    const faults = [-301, -300, 300, 301].map((offset) => signatureFault(headers, body, keys, now + offset));
    expect(faults).toEqual(['STALE', null, null, 'STALE']);
    expect(signatureFault(headers, body, keys, Number.NaN)).toBe('STALE');
  });

  it('refuses a signature probe, an unknown serial and a malformed signature', () => {
    const signature = headers['Wechatpay-Signature'] ?? '';
    for (const wrong of [`WECHATPAY/SIGNTEST/${signature}`, `${signature} `, signature.slice(4), 'AAAA', '%']) {
      expect(signatureFault({ ...headers, 'Wechatpay-Signature': wrong }, body, keys, now)).toBe('BAD_SIGNATURE');
    }
    for (const serial of ['PUB_KEY_ID_1', '__proto__', 'https://example.com/key', '']) {
      expect(signatureFault({ ...headers, 'Wechatpay-Serial': serial }, body, keys, now)).toBe('UNKNOWN_SERIAL');
    }
  });
});

describe('the serial number of a certificate', () => {
  const spellings = (serial: string) => [serial, serial.toLowerCase(), `00${serial}`, `0${serial.toLowerCase()}`];

  it('is one number in every spelling, in the settings and in a header', () => {
    for (const id of spellings(certificate.id)) {
      const lowered = readPlatformKeys([{ id, pem: certificate.pem }]);
      for (const serial of spellings(certificate.id)) {
        const headers = { ...signer.sign(body.toString(), 'certificate', now * 1000), 'Wechatpay-Serial': serial };
        expect(signatureFault(headers, body, lowered, now)).toBeNull();
      }
    }
    const twice = [certificate, { ...certificate, id: certificate.id.toLowerCase() }];
    expect(() => readPlatformKeys(twice)).toThrow('platformKeys[1].id');
  });

  it('of the merchant is sent as WeChat writes it', async () => {
    const sent: HttpRequest[] = [];
    const http: Http = (request) => {
      sent.push(request);
      return Promise.reject(new Error('no answer'));
    };
    const settings = { ...config, merchantSerial: config.merchantSerial.toLowerCase() };
    await createWechatPay(settings, http)
      .queryOrder('order-0001')
      .catch(() => {});
    expect(sent[0]?.headers.authorization).toContain(`serial_no="${config.merchantSerial}"`);
  });

  it('is not the id of a public key, which is a name and has one spelling', () => {
    const named = readPlatformKeys([{ id: 'PUB_KEY_ID_00ab', pem: publicKey.pem }]);
    const headers = signer.sign(body.toString(), 'public-key', now * 1000);
    const faultOf = (serial: string) => signatureFault({ ...headers, 'Wechatpay-Serial': serial }, body, named, now);
    expect([faultOf('PUB_KEY_ID_00ab'), faultOf('PUB_KEY_ID_00AB')]).toEqual([null, 'UNKNOWN_SERIAL']);
  });
});

describe('configuration', () => {
  it('is refused when a member is invalid, with the name of the member and without its value', () => {
    const small = generateKeyPairSync('rsa', { modulusLength: 1024 });
    const wrong: [string, Partial<WechatPayConfig>][] = [
      ['apiV3Key', { apiV3Key: 'too-short' }],
      ['mchId', { mchId: '19x' }],
      ['appId', { appId: 'wx\n1' }],
      ['merchantSerial', { merchantSerial: 'no"hex' }],
      ['merchantPrivateKeyPem', { merchantPrivateKeyPem: certificate.pem }],
      [
        'merchantPrivateKeyPem',
        { merchantPrivateKeyPem: small.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() },
      ],
      ['platformKeys', { platformKeys: [] }],
      ['platformKeys[0].pem', { platformKeys: [{ id: 'ABCDEF', pem: certificate.pem }] }],
      ['platformKeys[0].pem', { platformKeys: [{ id: publicKey.id, pem: publicKey.privateKeyPem }] }],
      ['platformKeys[1].id', { platformKeys: [publicKey, publicKey] }],
      ['notifyUrl', { notifyUrl: 'http://pay.example.com/notify' }],
      ['notifyUrl', { notifyUrl: 'https://pay.example.com/notify?a=1' }],
      ['baseUrl', { baseUrl: 'https://user:pass@api.mch.weixin.qq.com' }],
      ['baseUrl', { baseUrl: 'https://api.mch.weixin.qq.com/v3' }],
    ];
    for (const [path, change] of wrong) {
      const failing = () => createWechatPay({ ...config, ...change }, noHttp);
      expect(failing).toThrow(WechatPayInputError);
      expect(failing).toThrow(`wechat pay: ${path} is not acceptable`);
    }
  });

  it('of the mock has a certificate that an X.509 parser accepts', () => {
    const read = new X509Certificate(certificate.pem);
    expect(read.verify(read.publicKey)).toBe(true);
    expect(read.serialNumber).toBe(certificate.id);
    expect(read.subject).toBe('CN=mock-wechatpay platform');
    expect(Date.parse(read.validTo)).toBe(Date.parse('2044-01-01T00:00:00Z'));
  });
});
