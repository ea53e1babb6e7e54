import { afterEach, describe, expect, it } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { newIdentity } from '../../local/simulators/wechatpay/identity.ts';
import { type MockOptions, startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { createWechatPay, type WechatPay } from '../../shared/recharge/wechatpay/client.ts';
import {
  WechatPayInputError,
  WechatPayOutcomeUnknown,
  WechatPayRefused,
} from '../../shared/recharge/wechatpay/error.ts';
import type { Notification } from '../../shared/recharge/wechatpay/notification.ts';
import { overSocket, type Receiver, startReceiver } from '../support/wechatpay-receiver.ts';

const identity = newIdentity();
const started: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
});

interface Shop {
  readonly mock: MockWechatPay;
  readonly pay: WechatPay;
  readonly notifications: Notification[];
  readonly receiver: Receiver;
}

async function openShop(options: MockOptions = {}): Promise<Shop> {
  const notifications: Notification[] = [];
  const receiver = await startReceiver(({ headers, body }) => {
    try {
      notifications.push(pay.verifyNotification(headers, body, mock.now()));
      return [204, ''];
    } catch {
      return [401, ''];
    }
  });
  const mock = await startMockWechatPay({ identity, notifyUrl: receiver.url, ...options });
  const pay = createWechatPay(mock.config, overSocket(), mock.now);
  started.push(receiver, mock);
  return { mock, pay, notifications, receiver };
}

function order(mock: MockWechatPay, outTradeNo: string) {
  const expiresAtSeconds = mock.now() + 1800;
  return { outTradeNo, amountFen: 600, openid: 'openid-1', description: '60 金币', expiresAtSeconds };
}

const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: { code?: string }) => error.code,
  );

describe('an order at WeChat Pay, over real HTTP', () => {
  for (const keys of ['certificate', 'public-key', 'mixed'] as const) {
    it(`is made, paid, reported, queried and refunded, with keys: ${keys}`, async () => {
      const { mock, pay, notifications } = await openShop({ keys });
      const prepayId = await pay.prepay(order(mock, 'order-0001'));
      expect(pay.payment(prepayId, mock.now(), 'abc').package).toBe(`prepay_id=${prepayId}`);
      expect(await pay.queryOrder('order-0001')).toEqual({
        paid: false,
        tradeState: 'NOTPAY',
        outTradeNo: 'order-0001',
      });

      await mock.pay('order-0001');
      const transaction = await pay.queryOrder('order-0001');
      expect(transaction).toMatchObject({ paid: true, tradeState: 'SUCCESS', totalFen: 600, openid: 'openid-1' });
      expect(notifications).toMatchObject([{ kind: 'payment', transaction }]);
      expect(await codeOf(pay.closeOrder('order-0001'))).toBe('ORDERPAID');
      expect(await codeOf(pay.prepay(order(mock, 'order-0001')))).toBe('ORDERPAID');

      const part = { outTradeNo: 'order-0001', outRefundNo: 'refund@1', refundFen: 200, totalFen: 600, reason: '退款' };
      expect(await pay.refund(part)).toMatchObject({ status: 'PROCESSING', refundFen: 200, refundedAt: null });
      expect((await pay.queryOrder('order-0001')).tradeState).toBe('REFUND');
      await mock.refundResult('refund@1', 'SUCCESS');
      const refund = await pay.queryRefund('refund@1');
      expect(refund.status).toBe('SUCCESS');
      expect(notifications[1]).toMatchObject({ kind: 'refund', refund: { ...refund, createdAt: null } });
    });
  }

  it('is refunded once for each refund number, and never more than was paid', async () => {
    const { mock, pay } = await openShop();
    await pay.prepay(order(mock, 'order-0002'));
    const refund = { outTradeNo: 'order-0002', outRefundNo: 'r1', refundFen: 400, totalFen: 600 };
    expect(await codeOf(pay.refund(refund))).toBe('RESOURCE_NOT_EXISTS');
    await mock.pay('order-0002');
    const first = await pay.refund(refund);
    expect(await pay.refund(refund)).toEqual(first);
    expect(await codeOf(pay.refund({ ...refund, refundFen: 300 }))).toBe('INVALID_REQUEST');
    expect(await codeOf(pay.refund({ ...refund, outRefundNo: 'r2', refundFen: 201 }))).toBe('INVALID_REQUEST');
    await mock.refundResult('r1', 'CLOSED');
    expect((await pay.refund({ ...refund, outRefundNo: 'r2', refundFen: 600 })).status).toBe('PROCESSING');
    expect(mock.refunds()).toHaveLength(2);
  });

  it('can be created again until it expires, and then needs another number', async () => {
    const { mock, pay } = await openShop({ manual: true });
    const wanted = order(mock, 'order-0003');
    await pay.prepay(wanted);
    expect(await codeOf(pay.prepay(wanted))).toBe('done');
    expect(await codeOf(pay.prepay({ ...wanted, amountFen: 601 }))).toBe('INVALID_REQUEST');
    await mock.advance(1_801_000);
    expect(await pay.queryOrder('order-0003')).toMatchObject({ paid: false, tradeState: 'CLOSED' });
    expect(await codeOf(pay.prepay({ ...wanted, expiresAtSeconds: mock.now() + 60 }))).toBe('OUT_TRADE_NO_USED');
    expect(await codeOf(pay.queryOrder('order-none'))).toBe('ORDER_NOT_EXIST');
    expect(await codeOf(pay.queryRefund('refund-none'))).toBe('RESOURCE_NOT_EXISTS');
  });

  it('can be closed twice, and is still paid if the payment was in progress', async () => {
    const { mock, pay, notifications } = await openShop();
    await pay.prepay(order(mock, 'order-0004'));
    await pay.closeOrder('order-0004');
    await pay.closeOrder('order-0004');
    expect(await codeOf(pay.prepay(order(mock, 'order-0004')))).toBe('ORDER_CLOSED');
    await expect(mock.pay('order-0004')).rejects.toMatchObject({ code: 'ORDER_CLOSED' });
    await mock.pay('order-0004', { evenIfClosed: true });
    expect(await pay.queryOrder('order-0004')).toMatchObject({ paid: true, tradeState: 'SUCCESS' });
    expect(notifications).toMatchObject([{ kind: 'payment', transaction: { outTradeNo: 'order-0004', paid: true } }]);
  });
});

describe('an unreliable answer', () => {
  it('is an unknown outcome, with or without an effect of the call', async () => {
    const { mock, pay } = await openShop();
    const unknown = {
      'system-error': 'SYSTEM_ERROR',
      'system-error-after': 'SYSTEM_ERROR',
      'bad-gateway': 'SYSTEM_ERROR',
      'drop-before': 'NETWORK',
      'drop-after': 'NETWORK',
      'wrong-signature': 'BAD_SIGNATURE',
      unsigned: 'BAD_SIGNATURE',
    } as const;
    const kinds = Object.keys(unknown) as (keyof typeof unknown)[];
    for (const [index, kind] of kinds.entries()) {
      mock.setFault({ on: 'prepay', kind });
      const call = pay.prepay(order(mock, `order-1${index}00`));
      await expect(call).rejects.toBeInstanceOf(WechatPayOutcomeUnknown);
      await expect(call).rejects.toMatchObject({ code: unknown[kind], retryable: true });
    }
    expect(mock.orders().map(({ outTradeNo }) => outTradeNo[7])).toEqual(['1', '4', '5', '6']);
  });

  it('is an unknown outcome when no answer arrives before the deadline', async () => {
    const { mock } = await openShop();
    const impatient = createWechatPay(mock.config, overSocket(300), mock.now);
    mock.setFault({ on: 'query', kind: 'hang' });
    await expect(impatient.queryOrder('order-2000')).rejects.toMatchObject({ code: 'NETWORK' });
  });

  it('is an unknown outcome when it is signed but concerns another order', async () => {
    const { mock, pay } = await openShop();
    await pay.prepay(order(mock, 'order-2001'));
    await mock.pay('order-2001');
    const detour = overSocket();
    const misled = createWechatPay(mock.config, () => replay, mock.now);
    let replay: ReturnType<typeof detour> = Promise.reject(new Error('none yet'));
    replay.catch(() => undefined);
    const recording = createWechatPay(mock.config, (request) => (replay = detour(request)), mock.now);
    await recording.queryOrder('order-2001');
    await expect(misled.queryOrder('order-2002')).rejects.toMatchObject({ code: 'BAD_ANSWER' });
  });

  it('is told apart from a refusal, which had no effect', async () => {
    const { mock, pay } = await openShop();
    await pay.prepay(order(mock, 'order-3000'));
    mock.setFault({ on: 'any', kind: 'rate-limit' });
    await expect(pay.queryOrder('order-3000')).rejects.toMatchObject({
      code: 'RATELIMIT',
      retryable: true,
      signed: true,
    });
    mock.setFault({ on: 'close', kind: 'user-paying' });
    await expect(pay.closeOrder('order-3000')).rejects.toMatchObject({ code: 'USERPAYING', retryable: true });
    await mock.pay('order-3000');
    mock.setFault({ on: 'refund', kind: 'not-enough' });
    const refund = pay.refund({ outTradeNo: 'order-3000', outRefundNo: 'r1', refundFen: 1, totalFen: 600 });
    await expect(refund).rejects.toMatchObject({ code: 'NOT_ENOUGH', retryable: false });
    expect(mock.refunds()).toEqual([]);
  });

  it('is an unsigned SIGN_ERROR for a caller with wrong credentials', async () => {
    const { mock } = await openShop();
    const stranger = newIdentity().merchantPrivateKeyPem;
    const pay = createWechatPay({ ...mock.config, merchantPrivateKeyPem: stranger }, overSocket());
    const call = pay.queryOrder('order-0001');
    await expect(call).rejects.toBeInstanceOf(WechatPayRefused);
    await expect(call).rejects.toMatchObject({ code: 'SIGN_ERROR', status: 401, signed: false });
  });
});

it('a malformed order is refused before a request is sent', async () => {
  const { mock, pay } = await openShop();
  const good = order(mock, 'order-4000');
  const wrong = [
    { outTradeNo: 'short' },
    { outTradeNo: 'order/../4000' },
    { amountFen: 0 },
    { amountFen: 1.5 },
    { amountFen: 2 ** 31 },
    { amountFen: '600' as unknown as number },
    { openid: 'a"b' },
    { description: '' },
    { description: 'two\nlines' },
    { expiresAtSeconds: mock.now() },
  ];
  for (const change of wrong)
    await expect(pay.prepay({ ...good, ...change })).rejects.toBeInstanceOf(WechatPayInputError);
  const refund = { outTradeNo: 'order-4000', outRefundNo: 'r1', refundFen: 601, totalFen: 600 };
  await expect(pay.refund(refund)).rejects.toMatchObject({ path: 'refundFen' });
  await expect(pay.queryRefund('')).rejects.toMatchObject({ path: 'outRefundNo' });
  expect(mock.requests()).toEqual([]);
});
