import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { cancelRefund, redoRefund } from '../../shared/recharge/refund-cancel.ts';
import { findRefund } from '../../shared/recharge/refund-record.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { newKey } from '../support/recharge-fixture.ts';
import { openRefundShop, type RefundShop } from '../support/refund-shop.ts';
import { seededRandom } from '../support/seeded.ts';

let world: RefundShop;
beforeAll(async () => {
  world = await openRefundShop();
});
beforeEach(() => world.newPayer());
afterEach(() => {
  world.mock.clearFaults();
  world.shop.stack.faults.mysql = undefined;
});

const atWechat = (refundNo: string) => world.mock.refunds().find(({ outRefundNo }) => outRefundNo === refundNo);
/** A refund that WeChat did not take, and of which no request is on its way. */
async function waiting(orderNo: string, key = newKey()): Promise<string> {
  world.mock.setFault({ on: 'refund', kind: 'refuse-refund', code: 'NOT_ENOUGH' });
  return (await requestRefund({ orderNo, amountFen: 600, key })).refundNo;
}
const logged = async (action: string, subject: string): Promise<number> => {
  const { entries } = await portalJson(['operator-log', 'list', '--subject', subject]);
  return entries.filter((entry: { action: string }) => entry.action === action).length;
};

describe('recharge refund-cancel', () => {
  test('closes a refund that WeChat does not know, returns its units, and the order can be refunded again', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    const refundNo = await waiting(orderNo);
    expect(await world.shopper.balance()).toBe(before - 60);
    const run = await portalHere(['recharge', 'refund-cancel', '--refund', refundNo, '--json']);
    expect(run).toMatchObject({ code: 0, json: { status: 'closed', refusal: 'cancelled' } });
    expect(await world.shopper.balance()).toBe(before);
    expect(await portalJson(['recharge', 'refund-cancel', '--refund', refundNo])).toMatchObject({ status: 'closed' });
    expect(await logged('recharge.refund-cancel', orderNo)).toBe(1);
    expect(await requestRefund({ orderNo, amountFen: 600, key: newKey() })).toMatchObject({ status: 'processing' });
    expect(await world.findings()).toEqual([]);
  });

  test('waits while a request may be on its way, and the sweeper completes it', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    world.mock.setFault({ on: 'refund', kind: 'drop-before' });
    const { refundNo } = await requestRefund({ orderNo, amountFen: 600, key: newKey() });
    const cancelled = await portalHere(['recharge', 'refund-cancel', '--refund', refundNo]);
    expect(cancelled).toMatchObject({ code: 0, stdout: expect.stringContaining('It is not sent again.') });
    expect(await world.shopper.balance()).toBe(before - 60);
    const sent = world.calls('POST', '/refunds');
    await world.sweepLater();
    expect(world.calls('POST', '/refunds')).toBe(sent);
    expect(await findRefund(refundNo)).toMatchObject({ status: 'closed', refusal: 'cancelled' });
    expect(await world.shopper.balance()).toBe(before);
  });

  test('does not cancel a refund that reached WeChat although its answer was lost: its state counts', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    world.mock.setFault({ on: 'refund', kind: 'drop-after' });
    const { refundNo } = await requestRefund({ orderNo, amountFen: 600, key: newKey() });
    const run = await portalHere(['recharge', 'refund-cancel', '--refund', refundNo]);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('the provider has accepted it') });
    expect(await findRefund(refundNo)).toMatchObject({ status: 'processing', refusal: null });
    await world.mock.refundResult(refundNo, 'SUCCESS');
    expect(await world.entriesOf(refundNo)).toEqual(['refund']);
    expect(await world.shopper.balance()).toBe(before - 60);
  });

  test.each([
    ['PROCESSING', 'is paying the money back'],
    ['SUCCESS', 'the money was paid back'],
    ['ABNORMAL', 'at the merchant platform'],
  ])('refuses a refund that is %s, and says why', async (state, sentence) => {
    const orderNo = await world.paidOrder();
    const { refundNo } = await requestRefund({ orderNo, amountFen: 600, key: newKey() });
    if (state !== 'PROCESSING') await world.mock.refundResult(refundNo, state as 'SUCCESS');
    const run = await portalHere(['recharge', 'refund-cancel', '--refund', refundNo]);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining(sentence) });
    expect(await logged('recharge.refund-cancel', orderNo)).toBe(0);
    expect(await world.entriesOf(refundNo)).toEqual(['refund']);
  });

  test('follows an abnormal refund that is finished at the merchant platform', async () => {
    const orderNo = await world.paidOrder();
    const { refundNo } = await requestRefund({ orderNo, amountFen: 600, key: newKey() });
    await world.mock.refundResult(refundNo, 'ABNORMAL');
    const shown = await portalHere(['recharge', 'show', '--order', orderNo]);
    expect(shown.stdout).toContain('the provider still holds it');
    world.mock.setFault({ on: 'notification', kind: 'lose', times: 20 });
    await world.mock.refundResult(refundNo, 'SUCCESS');
    expect(await findRefund(refundNo)).toMatchObject({ status: 'abnormal' });
    await world.sweepLater();
    expect(await world.status(orderNo)).toBe('refunded');
  });

  test('names an unknown refund', async () => {
    for (const verb of ['refund-cancel', 'refund-redo']) {
      const run = await portalHere(['recharge', verb, '--refund', 'F0']);
      expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('There is no refund F0') });
    }
  });
});

describe('a refund that is cancelled never returns units and pays money', () => {
  test('after a crash before each request of the command', async () => {
    await crashBeforeEach(world.shop.stack, async (dying) => {
      const orderNo = await world.paidOrder();
      const before = await world.shopper.balance();
      const refundNo = await waiting(orderNo);
      await dying(() => cancelRefund(refundNo, 'ann'));
      await cancelRefund(refundNo, 'ann');
      expect(await findRefund(refundNo)).toMatchObject({ status: 'closed', refusal: 'cancelled' });
      expect(await world.entriesOf(refundNo)).toEqual(['refund', 'refund_reversal']);
      expect(await world.shopper.balance()).toBe(before);
      expect(await logged('recharge.refund-cancel', orderNo)).toBe(1);
    });
    expect(await world.findings()).toEqual([]);
  });

  test('when the answer to its COMMIT is lost: the log has one row', async () => {
    const orderNo = await world.paidOrder();
    const refundNo = await waiting(orderNo);
    let lost = 0;
    world.shop.stack.faults.mysql = ({ sql }) =>
      sql === 'COMMIT' && lost++ === 0 ? { kind: 'drop-after' } : undefined;
    expect(await cancelRefund(refundNo, 'ann')).toMatchObject({ status: 'closed' });
    world.shop.stack.faults.mysql = undefined;
    expect(lost).toBeGreaterThan(0);
    expect(await logged('recharge.refund-cancel', orderNo)).toBe(1);
  });

  test('when it is cancelled before each step of a request, and that request succeeds or fails', async () => {
    for (const kind of [undefined, 'drop-after', 'drop-before'] as const) {
      for (let n = 1, requests = n; requests >= n; n++) {
        const orderNo = await world.paidOrder();
        const key = newKey();
        const refundNo = await waiting(orderNo, key);
        if (kind) world.mock.setFault({ on: 'refund', kind });
        let count = 0;
        let cancelling: Promise<unknown> = Promise.resolve();
        world.shop.stack.faults.mysql = () => {
          if (++count === n) cancelling = cancelRefund(refundNo, 'ann').catch(() => {});
          return undefined;
        };
        await requestRefund({ orderNo, amountFen: 600, key });
        world.shop.stack.faults.mysql = undefined;
        requests = count;
        await cancelling;
        world.mock.clearFaults();
        await world.sweepLater();
        await checkOneEnd(refundNo);
        if (n > 20) break;
      }
    }
    expect(await world.findings()).toEqual([]);
  });

  test('when the process sleeps between its claim and its request: it does not send', async () => {
    const orderNo = await world.paidOrder();
    const key = newKey();
    const refundNo = await waiting(orderNo, key);
    const sent = world.calls('POST', '/refunds');
    const now = Date.now;
    const clock = vi.spyOn(Date, 'now');
    world.shop.stack.faults.mysql = ({ sql = '' }) => {
      if (sql.includes('SET sent_at = NOW(3)')) clock.mockImplementation(() => now() + 3_600_000);
      return undefined;
    };
    const after = await requestRefund({ orderNo, amountFen: 600, key });
    clock.mockRestore();
    world.shop.stack.faults.mysql = undefined;
    expect(after).toMatchObject({ status: 'accepted', inFlight: true });
    expect(world.calls('POST', '/refunds')).toBe(sent);
    await cancelRefund(refundNo, 'ann');
    await world.sweepLater();
    expect(await findRefund(refundNo)).toMatchObject({ status: 'closed' });
  });

  test('in 12 seeds of a cancel, two sweepers, a repeated command, lost answers and notifications', {
    timeout: 120_000,
  }, async () => {
    const ends = new Set<unknown>();
    for (let seed = 1; seed <= 12; seed++) {
      const draw = seededRandom(seed);
      const orderNo = await world.paidOrder();
      const key = newKey();
      const refundNo = await waiting(orderNo, key);
      const faults = ['drop-before', 'drop-after', 'system-error', 'system-error-after'] as const;
      for (let i = 0; i < 3; i++) {
        const kind = faults[Math.floor(draw() * faults.length)] as (typeof faults)[number];
        if (draw() < 0.6) world.mock.setFault({ on: draw() < 0.5 ? 'refund' : 'query-refund', kind });
      }
      const quietly = (work: Promise<unknown>) => work.catch(() => {});
      const acts = [
        () => cancelRefund(refundNo, 'ann'),
        () => world.sweepLater(),
        () => world.sweepLater(),
        () => requestRefund({ orderNo, amountFen: 600, key }),
        async () => atWechat(refundNo)?.status === 'PROCESSING' && world.mock.refundResult(refundNo, 'SUCCESS'),
      ].sort(() => draw() - 0.5);
      // At the same moment, or one after the other.
      if (seed % 2 === 0) await Promise.all(acts.map((act) => quietly(act() as Promise<unknown>)));
      else for (const act of acts) await quietly(act() as Promise<unknown>);
      world.mock.clearFaults();
      await world.sweepLater();
      ends.add(await checkOneEnd(refundNo, `seed ${seed}`));
    }
    expect([...ends].sort()).toEqual(['closed', 'success']);
    expect(await world.findings()).toEqual([]);
  });

  /** Either the units are back, and WeChat knows nothing; or WeChat has the refund, and the units are taken. */
  async function checkOneEnd(refundNo: string, hint = refundNo): Promise<unknown> {
    if (atWechat(refundNo)?.status === 'PROCESSING') await world.mock.refundResult(refundNo, 'SUCCESS');
    await world.sweepLater();
    const { status } = (await findRefund(refundNo)) ?? {};
    const entries = await world.entriesOf(refundNo);
    if (atWechat(refundNo)) expect([hint, status, entries]).toEqual([hint, 'success', ['refund']]);
    else if (status === 'closed') expect([hint, entries]).toEqual([hint, ['refund', 'refund_reversal']]);
    else expect([hint, status, entries]).toEqual([hint, 'processing', ['refund']]);
    return status;
  }
});

describe('recharge refund-redo', () => {
  test('makes a closed refund again under a new number, once, also when it is typed twice at the same time', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    const refundNo = await waiting(orderNo);
    await cancelRefund(refundNo, 'ann');
    const made = await Promise.all([redoRefund(refundNo, 'ann'), redoRefund(refundNo, 'ben')]);
    expect(made[0].refundNo).toBe(made[1].refundNo);
    expect(made[0].refundNo).not.toBe(refundNo);
    expect(await portalJson(['recharge', 'refund-redo', '--refund', refundNo])).toMatchObject({
      refundNo: made[0].refundNo,
      amountFen: 600,
      status: 'processing',
    });
    expect(world.mock.refunds().filter(({ outTradeNo }) => outTradeNo === orderNo)).toHaveLength(1);
    expect(await world.shopper.balance()).toBe(before - 60);
    expect(await logged('recharge.refund', orderNo)).toBe(1);
  });

  test('refuses a refund that is not closed', async () => {
    const orderNo = await world.paidOrder();
    const { refundNo } = await requestRefund({ orderNo, amountFen: 600, key: newKey() });
    const run = await portalHere(['recharge', 'refund-redo', '--refund', refundNo]);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('only a refund that is closed') });
  });

  test('refuses what is no longer left, because another refund was made after the first one was closed', async () => {
    const orderNo = await world.paidOrder();
    const refundNo = await waiting(orderNo);
    await cancelRefund(refundNo, 'ann');
    await requestRefund({ orderNo, amountFen: 1, key: newKey() });
    const run = await portalHere(['recharge', 'refund-redo', '--refund', refundNo]);
    expect(run).toMatchObject({ code: 1, stderr: expect.stringContaining('599') });
  });
});
