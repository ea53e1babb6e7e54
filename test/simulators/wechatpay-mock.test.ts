import { afterEach, describe, expect, it } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { newIdentity } from '../../local/simulators/wechatpay/identity.ts';
import { type MockOptions, startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { createWechatPay, type WechatPay } from '../../shared/recharge/wechatpay/client.ts';
import { overSocket, type Receiver, startReceiver } from '../support/wechatpay-receiver.ts';

const identity = newIdentity();
const started: { stop(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of started.splice(0)) await one.stop();
});

type ReceiverAnswer = [number, string] | null;

/** A merchant with one unpaid order. The receiver answers with `answer`, or else checks the signature. */
async function withOrder(outTradeNo: string, options: MockOptions, answer?: (index: number) => ReceiverAnswer) {
  const verdicts: string[] = [];
  const receiver: Receiver = await startReceiver(({ headers, body }, index) => {
    if (answer !== undefined) return answer(index);
    try {
      verdicts.push(pay.verifyNotification(headers, body, mock.now()).event);
      return [204, ''];
    } catch (error) {
      verdicts.push((error as { reason: string }).reason);
      return [401, ''];
    }
  });
  const mock: MockWechatPay = await startMockWechatPay({ identity, notifyUrl: receiver.url, ...options });
  const pay: WechatPay = createWechatPay(mock.config, overSocket(), mock.now);
  started.push(receiver, mock);
  const expiresAtSeconds = mock.now() + 1800;
  await pay.prepay({ outTradeNo, amountFen: 600, openid: 'openid-1', description: 'coins', expiresAtSeconds });
  return { mock, pay, receiver, verdicts };
}

const day = 86_400_000;

describe('a notification that is not acknowledged', () => {
  it('is sent again after 15 s, 15 s, 30 s ... 6 h, and never after 24 h 4 min', async () => {
    const { mock, receiver } = await withOrder('order-0001', { manual: true }, () => [500, '']);
    await mock.pay('order-0001');
    expect(receiver.received).toHaveLength(1);
    await mock.advance(14_999);
    expect(receiver.received).toHaveLength(1);
    await mock.advance(1);
    expect(receiver.received).toHaveLength(2);
    await mock.advance(2 * day);
    const [notification] = mock.notifications();
    const times = notification?.attempts.map(({ atMs }) => atMs) ?? [];
    const waits = times.slice(1).map((time, index) => (time - (times[index] ?? 0)) / 1000);
    const schedule = [15, 15, 30, 180, 600, 1200, 1800, 1800, 1800, 3600, 10800, 10800, 10800, 21600, 21600];
    expect(waits).toEqual(schedule);
    expect(waits.reduce((sum, wait) => sum + wait)).toBe((24 * 60 + 4) * 60);
    expect(notification).toMatchObject({ state: 'exhausted', nextAtMs: null });
    expect(new Set(receiver.received.map(({ body }) => JSON.parse(body.toString()).id)).size).toBe(1);
  });

  it('is not sent again after 200 or 204, also with a faster clock', async () => {
    const answers: ReceiverAnswer[] = [
      [503, ''],
      [404, ''],
      [302, ''],
      [200, ''],
    ];
    const { mock, receiver } = await withOrder('order-0002', { speed: 300 }, (index) => answers[index] ?? [500, '']);
    await mock.pay('order-0002');
    await expect.poll(() => mock.notifications()[0]?.state, { timeout: 10_000 }).toBe('delivered');
    expect(receiver.received).toHaveLength(4);
    expect(mock.notifications()[0]?.attempts.map(({ status }) => status)).toEqual([503, 404, 302, 200]);
  });

  it('is never sent again after 200 with FAIL: the status decides, and only a query finds the payment', async () => {
    const fail = '{"code":"FAIL","message":"later"}';
    const { mock, pay, receiver } = await withOrder('order-0003', { manual: true }, () => [200, fail]);
    await mock.pay('order-0003');
    await mock.advance(2 * day);
    expect(receiver.received).toHaveLength(1);
    expect(mock.notifications()[0]?.state).toBe('stopped');
    expect(await pay.queryOrder('order-0003')).toMatchObject({ paid: true });
  });

  it('is sent again after 4xx and 5xx with FAIL, and when there is no answer', async () => {
    const fail = '{"code":"FAIL"}';
    const answers: ReceiverAnswer[] = [[400, fail], [500, fail], null, [204, '']];
    const options = { manual: true, notificationTimeoutMs: 1500 };
    const { mock, receiver } = await withOrder('order-0004', options, (index) => answers[index] ?? null);
    await mock.pay('order-0004');
    await mock.advance(day);
    expect(receiver.received).toHaveLength(4);
    expect(mock.notifications()[0]?.attempts.map(({ status }) => status)).toEqual([400, 500, null, 204]);
  });
});

describe('a faulty delivery', () => {
  it('is refused with its own reason for each fault, and accepted when it is sent again correctly', async () => {
    const { mock, verdicts } = await withOrder('order-0005', { manual: true });
    for (const kind of ['wrong-signature', 'tampered', 'stale', 'unknown-serial', 'lose'] as const) {
      mock.setFault({ on: 'notification', kind });
    }
    await mock.pay('order-0005');
    await mock.advance(day);
    expect(verdicts).toEqual(['BAD_SIGNATURE', 'BAD_SIGNATURE', 'STALE', 'UNKNOWN_SERIAL', 'TRANSACTION.SUCCESS']);
    expect(mock.notifications()[0]).toMatchObject({ state: 'delivered', failures: 5, flawsAccepted: 0 });
  });

  it('may be a signature probe: a receiver that accepts it is reported', async () => {
    const sound = await withOrder('order-0006', { manual: true, probeShare: 1 });
    await sound.mock.pay('order-0006');
    expect(sound.verdicts).toEqual(['BAD_SIGNATURE', 'TRANSACTION.SUCCESS']);
    expect(sound.mock.notifications()[0]).toMatchObject({ state: 'delivered', flawsAccepted: 0 });

    const unsound = await withOrder('order-0007', { manual: true }, () => [200, '']);
    unsound.mock.setFault({ on: 'notification', kind: 'probe' });
    await unsound.mock.pay('order-0007');
    expect(unsound.mock.notifications()[0]?.flawsAccepted).toBe(1);
  });

  it('may arrive twice at once, late, or again after it was accepted, with the same id', async () => {
    const { mock, receiver } = await withOrder('order-0008', { manual: true });
    mock.setFault({ on: 'notification', kind: 'duplicate' });
    await mock.pay('order-0008');
    expect(receiver.received).toHaveLength(2);
    const [notification] = mock.notifications();
    expect(await mock.resendNotification(notification?.id ?? '')).toBe(true);
    expect(await mock.resendNotification('unknown')).toBe(false);
    expect(receiver.received).toHaveLength(3);
    expect(new Set(receiver.received.map(({ body }) => JSON.parse(body.toString()).id))).toEqual(
      new Set([notification?.id]),
    );

    const late = await withOrder('order-0009', { manual: true });
    late.mock.setFault({ on: 'notification', kind: 'delay', delayMs: 60_000 });
    await late.mock.pay('order-0009');
    await late.mock.advance(59_999);
    expect(late.verdicts).toEqual([]);
    await late.mock.advance(1);
    expect(late.verdicts).toEqual(['TRANSACTION.SUCCESS']);
  });

  it('may report the refund before the payment', async () => {
    const { mock, pay, verdicts } = await withOrder('order-0010', { manual: true, refundAfterMs: 1000 });
    mock.holdNotifications();
    await mock.pay('order-0010');
    await pay.refund({ outTradeNo: 'order-0010', outRefundNo: 'r1', refundFen: 600, totalFen: 600 });
    await mock.advance(1000);
    expect(mock.notifications().map(({ state }) => state)).toEqual(['held', 'held']);
    await mock.releaseNotifications('reverse');
    expect(verdicts).toEqual(['REFUND.SUCCESS', 'TRANSACTION.SUCCESS']);
  });

  it('is signed with the certificate and the public key in turn while both are in use', async () => {
    const { mock } = await withOrder('order-0011', { manual: true, seed: 7 }, () => [500, '']);
    await mock.pay('order-0011');
    await mock.advance(2 * day);
    const used = mock.notifications()[0]?.attempts.map(({ signedWith }) => signedWith);
    expect(new Set(used)).toEqual(new Set(['certificate', 'public-key']));
  });
});
