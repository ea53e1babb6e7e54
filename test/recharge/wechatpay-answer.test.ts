import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createSigner, newIdentity } from '../../local/simulators/wechatpay/identity.ts';
import { createWechatPay, type WechatPay } from '../../shared/recharge/wechatpay/client.ts';
import { WechatPayOutcomeUnknown, WechatPayRefused } from '../../shared/recharge/wechatpay/error.ts';

const identity = newIdentity();
const signer = createSigner(identity);
const now = 1_700_000_000;
const secret = 'do-not-repeat-me';

interface WechatAnswer {
  readonly status: number;
  readonly body: string;
  readonly signed: boolean;
}

/** A client that gets this answer to every call. */
function clientWithAnswer({ status, body, signed }: WechatAnswer): WechatPay {
  const headers = signed ? signer.sign(body, 'public-key', now * 1000) : {};
  const platformKeys = [identity.platform['public-key']];
  const config = {
    ...identity,
    platformKeys,
    notifyUrl: 'https://pay.example.com/n',
    baseUrl: 'https://api.example.com',
  };
  return createWechatPay(
    config,
    async () => ({ status, headers, body: Buffer.from(body) }),
    () => now,
  );
}

const order = { outTradeNo: 'order-0001', amountFen: 1, openid: 'o', description: 'coins', expiresAtSeconds: now + 60 };
const refund = { outTradeNo: 'order-0001', outRefundNo: 'r1', refundFen: 1, totalFen: 1 };

function allCalls(pay: WechatPay): Promise<unknown>[] {
  return [pay.prepay(order), pay.queryOrder('order-0001'), pay.refund(refund), pay.queryRefund('r1')];
}

async function failureOf(work: Promise<unknown>): Promise<WechatPayOutcomeUnknown | WechatPayRefused> {
  const failure = await work.then(
    () => new Error('the call succeeded'),
    (error: unknown) => error,
  );
  if (failure instanceof WechatPayOutcomeUnknown || failure instanceof WechatPayRefused) return failure;
  throw failure;
}

describe('an answer of WeChat Pay', () => {
  it('of any content gives a refusal or an unknown outcome, and the error repeats no text of it', async () => {
    const statuses = fc.constantFrom(200, 201, 202, 204, 301, 304, 400, 404, 429, 500, 0, 999);
    const bodies = fc.oneof(
      fc.json(),
      fc.string(),
      fc.record({ code: fc.string(), message: fc.constant(secret) }).map((value) => JSON.stringify(value)),
    );
    await fc.assert(
      fc.asyncProperty(statuses, bodies, fc.boolean(), async (status, body, signed) => {
        for (const call of allCalls(clientWithAnswer({ status, body, signed }))) {
          const failure = await failureOf(call);
          expect(`${failure.message}${JSON.stringify(failure)}`).not.toContain(secret);
        }
      }),
      { numRuns: 60 },
    );
  });

  it('without a signature is refused, also an empty one to a close', async () => {
    for (const status of [200, 202, 204]) {
      const failure = await failureOf(clientWithAnswer({ status, body: '', signed: false }).closeOrder('order-0001'));
      expect(failure.code).toBe('BAD_SIGNATURE');
    }
    await clientWithAnswer({ status: 204, body: '', signed: true }).closeOrder('order-0001');
  });

  it('gives one code where WeChat has several for the same refusal', async () => {
    const codes: [string, number, string][] = [
      ['ORDERNOTEXIST', 404, 'ORDER_NOT_EXIST'],
      ['ORDER_PAID', 400, 'ORDERPAID'],
      ['FREQUENCY_LIMITED', 429, 'RATELIMIT'],
      ['RATELIMIT_EXCEEDED', 429, 'RATELIMIT'],
      ['SOMETHING_NEW', 429, 'RATELIMIT'],
      ['SOMETHING_NEW', 403, 'OTHER'],
      ['constructor', 400, 'OTHER'],
    ];
    for (const [code, status, expected] of codes) {
      const failure = await failureOf(
        clientWithAnswer({ status, body: JSON.stringify({ code }), signed: true }).queryOrder('order-0001'),
      );
      expect(failure).toMatchObject({ code: expected, signed: true });
    }
  });

  it('about another order, refund, amount or merchant is refused', async () => {
    const transaction = {
      appid: identity.appId,
      mchid: identity.mchId,
      out_trade_no: 'order-0001',
      trade_state: 'NOTPAY',
    };
    const query = (change: object) =>
      clientWithAnswer({ status: 200, body: JSON.stringify({ ...transaction, ...change }), signed: true }).queryOrder(
        'order-0001',
      );
    expect(await query({})).toEqual({ paid: false, tradeState: 'NOTPAY', outTradeNo: 'order-0001' });
    for (const change of [
      { out_trade_no: 'order-0002' },
      { mchid: '1' },
      { appid: 'wx2' },
      { trade_state: 'SUCCESS' },
    ]) {
      expect((await failureOf(query(change))).code).toBe('BAD_ANSWER');
    }

    const record = {
      out_trade_no: 'order-0001',
      out_refund_no: 'r1',
      refund_id: '503',
      transaction_id: '42',
      status: 'PROCESSING',
      amount: { total: 1, refund: 1 },
    };
    const ask = (change: object) =>
      clientWithAnswer({ status: 200, body: JSON.stringify({ ...record, ...change }), signed: true });
    expect(await ask({}).refund(refund)).toMatchObject({ status: 'PROCESSING', refundedAt: null });
    for (const change of [
      { out_trade_no: 'order-0002' },
      { out_refund_no: 'r2' },
      { amount: { total: 2, refund: 2 } },
      { amount: { total: 1, refund: 2 } },
      { amount: { total: 2, refund: 1 } },
      { status: 'SUCCESS' },
      { status: 'DONE' },
    ]) {
      expect((await failureOf(ask(change).refund(refund))).code).toBe('BAD_ANSWER');
    }
    expect((await failureOf(ask({ out_refund_no: 'r2' }).queryRefund('r1'))).code).toBe('BAD_ANSWER');
  });
});
