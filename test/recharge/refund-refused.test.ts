import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { findRefund } from '../../shared/recharge/refund-record.ts';
import { crashBeforeEach } from '../support/crash.ts';
import { portalHere } from '../support/portal-command.ts';
import { newKey } from '../support/recharge-fixture.ts';
import { openRefundShop, type RefundShop } from '../support/refund-shop.ts';

let world: RefundShop;
beforeAll(async () => {
  world = await openRefundShop();
});
beforeEach(() => world.newPayer());
afterEach(() => {
  world.mock.clearFaults();
  world.shop.stack.faults.mysql = undefined;
});

const refuse = (code: string, times = 1) => world.mock.setFault({ on: 'refund', kind: 'refuse-refund', code, times });
const refundOf = (orderNo: string, key = newKey()) => requestRefund({ orderNo, amountFen: 600, key });

describe('a refund that WeChat refuses for good', () => {
  test.each([
    ['INVALID_REQUEST', 'not-allowed'],
    ['PARAM_ERROR', 'bad-values'],
    ['RESOURCE_NOT_EXISTS', 'order-unknown'],
    ['USER_ACCOUNT_ABNORMAL', 'payer-account'],
    ['TRADE_ERROR', 'trade-state'],
    ['RULE_LIMIT', 'rule-limit'],
  ])('by %s is closed as %s, and its units are back', async (code, refusal) => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    refuse(code);
    const refund = await refundOf(orderNo);
    expect(refund).toMatchObject({ status: 'closed', refusal });
    expect(await world.shopper.balance()).toBe(before);
    expect(await world.entriesOf(refund.refundNo)).toEqual(['refund', 'refund_reversal']);
    expect(await world.status(orderNo)).toBe('paid');
    await world.sweepLater();
    expect(await findRefund(refund.refundNo)).toMatchObject({ status: 'closed' });
    expect(world.mock.refunds().filter(({ outTradeNo }) => outTradeNo === orderNo)).toEqual([]);
    expect(await world.findings()).toEqual([]);
  });

  test('is reported by the command with exit code 1, the reason, and the command that makes it again', async () => {
    const orderNo = await world.paidOrder();
    refuse('INVALID_REQUEST', 2);
    const command = ['recharge', 'refund', '--order', orderNo, '--amount-fen', '600'];
    const json = await portalHere([...command, '--json']);
    expect(json).toMatchObject({ code: 1, json: { status: 'closed', refusal: 'not-allowed' } });
    const text = await portalHere(command);
    expect(text).toMatchObject({ code: 1, stdout: expect.stringContaining('the payment allows no such refund') });
    expect(text.stdout).toContain('recharge refund-redo --refund F');
    expect(text.stdout).not.toContain('accepted');
    const shown = await portalHere(['recharge', 'show', '--order', orderNo]);
    expect(shown.stdout).toContain('Why it ended: the provider refused it');
  });

  test('counts as refunded if WeChat knows it under its number after all', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    world.mock.setFault({ on: 'refund', kind: 'drop-after' });
    const key = newKey();
    const { refundNo } = await refundOf(orderNo, key);
    refuse('INVALID_REQUEST');
    // A second request, as of a process that slept: the first one was accepted, and its answer lost.
    await world.shop.stack.mysql.query('UPDATE refunds SET sent_at = NULL WHERE refund_no = ?', [refundNo]);
    expect(await refundOf(orderNo, key)).toMatchObject({ status: 'processing', refusal: null });
    await world.mock.refundResult(refundNo, 'SUCCESS');
    expect(await world.status(orderNo)).toBe('refunded');
    expect(await world.shopper.balance()).toBe(before - 60);
    expect(await world.findings()).toEqual([]);
  });

  test('keeps its units until WeChat has said that it knows no such refund', async () => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    for (const kind of ['system-error', 'unsigned', 'wrong-signature', 'drop-before'] as const) {
      refuse('INVALID_REQUEST');
      world.mock.setFault({ on: 'query-refund', kind });
      const refund = await refundOf(orderNo);
      expect(refund).toMatchObject({ status: 'cancelling', refusal: 'not-allowed' });
      expect(await world.shopper.balance()).toBe(before - 60);
      await world.sweepLater();
      expect(await findRefund(refund.refundNo)).toMatchObject({ status: 'closed', refusal: 'not-allowed' });
      expect(await world.shopper.balance()).toBe(before);
    }
  });

  test('is closed once after a crash before any of its requests, and nothing is sent after the units are back', async () => {
    await crashBeforeEach(world.shop.stack, async (dying, n) => {
      const orderNo = await world.paidOrder();
      const before = await world.shopper.balance();
      refuse('INVALID_REQUEST', 2);
      const key = newKey();
      await dying(() => refundOf(orderNo, key));
      await refundOf(orderNo, key);
      await world.sweepLater();
      const refund = await refundOf(orderNo, key);
      expect([n, refund.status, refund.refusal]).toEqual([n, 'closed', 'not-allowed']);
      expect(await world.shopper.balance()).toBe(before);
      expect(await world.entriesOf(refund.refundNo)).toEqual(['refund', 'refund_reversal']);
      world.mock.clearFaults();
      const sent = world.calls('POST', '/refunds');
      await world.sweepLater();
      expect(world.calls('POST', '/refunds')).toBe(sent);
    });
    expect(await world.findings()).toEqual([]);
  });
});

describe('a refund that WeChat refuses for now', () => {
  test.each([
    'NOT_ENOUGH',
    'FREQUENCY_LIMITED',
    'NO_AUTH',
    'MCH_NOT_EXISTS',
    'SIGN_ERROR',
    'A_NEW_CODE',
    'SYSTEM_ERROR',
  ])('by %s keeps its units and is sent again with the same number', async (code) => {
    const orderNo = await world.paidOrder();
    const before = await world.shopper.balance();
    refuse(code);
    const { refundNo, status } = await refundOf(orderNo);
    expect(status).toBe('accepted');
    expect(await world.shopper.balance()).toBe(before - 60);
    await world.sweepLater();
    expect(await findRefund(refundNo)).toMatchObject({ status: 'processing', refusal: null });
  });

  test('by an answer without a signature is not closed', async () => {
    const orderNo = await world.paidOrder();
    // The order is unknown there, and the refusal is not signed: it proves nothing.
    world.mock.setFault({ on: 'refund', kind: 'unsigned' });
    const { refundNo, status } = await requestRefund({ orderNo, amountFen: 600, key: 'unsigned' });
    expect(status).toBe('accepted');
    await world.sweepLater();
    expect(await findRefund(refundNo)).toMatchObject({ status: 'processing' });
  });
});

test('two processes send a refund once while its first request may be on its way', async () => {
  const orderNo = await world.paidOrder();
  const key = newKey();
  const before = world.calls('POST', '/refunds');
  await Promise.all(Array.from({ length: 6 }, () => refundOf(orderNo, key)));
  expect(world.calls('POST', '/refunds') - before).toBe(1);
  expect(world.mock.refunds().filter(({ outTradeNo }) => outTradeNo === orderNo)).toHaveLength(1);
});

test('the number of WeChat and the day on which it accepted the refund are stored', async () => {
  const orderNo = await world.paidOrder();
  const { refundNo } = await refundOf(orderNo);
  const made = world.mock.refunds().find(({ outRefundNo }) => outRefundNo === refundNo);
  const row = await world.refundRow(refundNo);
  expect(row.provider_refund_id).toBe(made?.refundId);
  expect(Math.floor(new Date(row.provider_at).getTime() / 1000)).toBe(Math.floor((made?.createdAtMs ?? 0) / 1000));
  await world.mock.refundResult(refundNo, 'SUCCESS');
  expect((await world.refundRow(refundNo)).provider_at).toEqual(row.provider_at);
});
