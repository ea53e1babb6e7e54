import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkMerchant } from '../../shared/recharge/check-merchant.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { findMerchant } from '../../shared/recharge/merchant-list.ts';
import { paySig } from '../../shared/recharge/xpay/payment.ts';
import type { XpayMerchant } from '../../shared/recharge/xpay/provider.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { startTestStack } from '../support/stack.ts';

/** Of WeChat's server only what the check of virtual payment asks: an access_token, and an order that does not exist. */
const APP_KEY = 'app-key-of-xpay';
let busy = false;
const asked: Array<{ pathname: string; body: Record<string, unknown> }> = [];

const merchant: XpayMerchant = {
  ...{ appId: 'wx0123456789abcdef', offerId: '1450001', env: 0, appKey: APP_KEY },
  ...{ pushToken: 'token', encodingAesKey: 'a'.repeat(43) },
};

beforeAll(async () => {
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer);
    const body = Buffer.concat(chunks).toString();
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://wechat');
    asked.push({ pathname, body: JSON.parse(body) });
    const signed = searchParams.get('pay_sig') === paySig(APP_KEY, '/xpay/query_order', body);
    const refusal = busy ? -1 : signed ? 268490001 : 268490003;
    const answer = pathname === '/xpay/query_order' ? { errcode: refusal } : { access_token: 't', expires_in: 7200 };
    response.end(JSON.stringify(answer));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEndOfFile(() => new Promise((resolve) => server.close(resolve)));
  const WECHAT_API_URL = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await startTestStack({ env: { WECHAT_API_URL, WECHAT_APPID: merchant.appId, WECHAT_SECRET: 'a'.repeat(32) } });
});

const check = async (change: Partial<XpayMerchant> = {}) => {
  await setMerchant('xpay', { ...merchant, ...change }, { actor: 'tester' });
  return checkMerchant(await findMerchant('xpay', undefined));
};

describe('the check of a merchant of virtual payment', () => {
  test('asks about an order that cannot exist, in the environment of the merchant', async () => {
    expect(await check()).toMatchObject({ works: true });
    const question = asked.at(-1);
    expect(question).toMatchObject({ pathname: '/xpay/query_order', body: { env: 0 } });
    expect(question?.body.order_id).toMatch(/^CHECK[0-9A-F]{12}$/);
  });

  test('names the appKey when WeChat does not accept the signature, and never prints it', async () => {
    const { works, said } = await check({ appKey: 'another-key' });
    expect([works, said]).toEqual([false, expect.stringContaining('appKey')]);
    expect(said).not.toContain('another-key');
  });

  test('names the mini-program when its secret is not here', async () => {
    expect(await check({ appId: 'wxother' })).toMatchObject({ works: false, said: expect.stringContaining('wxother') });
  });

  test('proves nothing while WeChat is busy', async () => {
    busy = true;
    expect(await check()).toMatchObject({ works: false, said: expect.stringContaining('try again') });
    busy = false;
  });
});
