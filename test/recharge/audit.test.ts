import { beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { openShop, type Shop, type Shopper } from '../support/recharge-fixture.ts';

/** Each test writes one violation into the tables directly, because the product never writes it. */
let shop: Shop;
let shopper: Shopper;
let orderNo: string;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(async () => {
  for (const table of ['ledger_entries', 'recharge_orders', 'refunds', 'sandbox_payments']) {
    await shop.stack.mysql.query(`DELETE FROM ${table}`);
  }
  shopper = await shop.shopper();
  for (let i = 0; i < 3; i++) {
    orderNo = (await shopper.create()).body.orderNo;
    await shop.notify({ orderNo });
  }
  await shopper.spend(20);
  await requestRefund({ orderNo, amountFen: 200, key: 'k' });
  await shopper.create();
});

const invariantsFound = async (): Promise<string[]> => [
  ...new Set((await auditLedger()).findings.map(({ invariant }) => invariant)),
];

describe('the ledger audit', () => {
  test('finds nothing when orders, refunds and ledger agree', async () => {
    expect(await auditLedger()).toEqual({ since: null, orders: 4, entries: 5, refunds: 1, findings: [] });
  });

  const violations: [invariant: string, what: string, sql: string][] = [
    ['I1', 'a paid order without a credit', "UPDATE recharge_orders SET status = 'paid' WHERE status = 'pending'"],
    ['I1', 'a credit whose order is not marked', "UPDATE recharge_orders SET status = 'closed' WHERE status = 'paid'"],
    ['I1', 'a credit of other units', "UPDATE recharge_orders SET units = 61 WHERE status = 'paid'"],
    ['I1', 'a credit without an order', 'DELETE FROM recharge_orders WHERE order_no = :orderNo'],
    ['I2', 'a gap in the sequence', 'UPDATE ledger_entries SET seq = 9 WHERE seq = 5'],
    ['I2', 'a deleted entry', 'DELETE FROM ledger_entries WHERE seq = 4'],
    ['I2', 'a changed balance', 'UPDATE ledger_entries SET balance_after = 1000 WHERE seq = 4'],
    ['I2', 'a changed amount', 'UPDATE ledger_entries SET delta = -10 WHERE seq = 4'],
    [
      'I3',
      'a spend below zero',
      "UPDATE ledger_entries SET kind = 'spend', contra = 'shop:spent', delta = -999, balance_after = -839 WHERE seq = 4",
    ],
    ['I4', 'an entry without its other side', "UPDATE ledger_entries SET contra = '' WHERE seq = 4"],
    ['I5', 'refunds of more money than was paid', 'UPDATE refunds SET amount_fen = 700'],
    [
      'I5',
      'an order that does not show its refund',
      'UPDATE recharge_orders SET refunded_fen = 0 WHERE order_no = :orderNo',
    ],
    ['I5', 'a refund of other units than its ledger entry', 'UPDATE refunds SET units = 30'],
    ['I5', 'a closed refund whose units were not returned', "UPDATE refunds SET status = 'closed'"],
    ['I5', 'units taken without a refund', 'DELETE FROM refunds'],
    [
      'I5',
      'a refund of more units than were credited',
      "UPDATE refunds r, ledger_entries e SET r.units = 61, e.delta = -61, e.balance_after = e.balance_after - 41 WHERE e.kind = 'refund'",
    ],
    ['I5', 'a refund of all the money that took only some of the units', 'UPDATE refunds SET amount_fen = 600'],
    [
      'I5',
      'units taken from the balance of another user',
      "UPDATE ledger_entries SET user_id = 'somebody', seq = 1 WHERE kind = 'refund'",
    ],
    [
      'I5',
      'a refund of an order that was never paid',
      "UPDATE refunds SET order_no = (SELECT order_no FROM recharge_orders WHERE status = 'pending'), status = 'processing'",
    ],
    ['I6', 'a credit from another provider', "UPDATE ledger_entries SET contra = 'xpay:clearing' WHERE seq = 1"],
    [
      'I6',
      'a credit with the transaction of another order',
      "UPDATE recharge_orders SET transaction_id = 'other' WHERE order_no = :orderNo",
    ],
    [
      'I6',
      'a credit without a transaction',
      "UPDATE ledger_entries SET ext_ref = NULL WHERE kind = 'recharge' AND seq = 1",
    ],
    [
      'I8',
      'a payment without a credit',
      "INSERT INTO sandbox_payments (order_no, transaction_id, amount_fen, currency, paid_at) SELECT order_no, 't', 1, 'CNY', '2026-01-01' FROM recharge_orders WHERE status = 'pending'",
    ],
    [
      'I9',
      'an order whose user was changed',
      "UPDATE recharge_orders SET user_id = 'somebody' WHERE status = 'pending'",
    ],
    ['I9', 'a spend whose user was changed', "UPDATE ledger_entries SET user_id = 'somebody' WHERE kind = 'spend'"],
    ['I10', 'an order of no units', "UPDATE recharge_orders SET units = 0 WHERE status = 'pending'"],
    ['H1', 'a spend of units that a hold keeps', "UPDATE ledger_entries SET held_after = 170 WHERE kind = 'spend'"],
    ['H2', 'the end of a hold that does not exist', "UPDATE ledger_entries SET kind = 'hold_end' WHERE kind = 'spend'"],
    [
      'H2',
      'a hold that should have ended',
      "UPDATE ledger_entries SET kind = 'hold', expires_at = NOW(3) - INTERVAL 2 HOUR WHERE kind = 'spend'",
    ],
    ['H3', 'an expiry without a grant', "UPDATE ledger_entries SET kind = 'expiry' WHERE kind = 'spend'"],
    ['M1', 'units that left by a merge', "UPDATE ledger_entries SET kind = 'merge_out' WHERE kind = 'spend'"],
    ['A1', 'a tail that was cut off', 'DELETE FROM ledger_entries WHERE seq = 5'],
    ['A1', 'a tail of two entries that was cut off', 'DELETE FROM ledger_entries WHERE seq IN (4, 5)'],
    [
      'A1',
      'a last entry that was made smaller',
      'UPDATE ledger_entries SET delta = delta + 5, balance_after = balance_after + 5 WHERE seq = 5',
    ],
    [
      'A1',
      'two last entries that were exchanged',
      "UPDATE ledger_entries SET ref = CONCAT('x', ref), kind = IF(kind = 'spend', 'refund', 'spend'), contra = IF(kind = 'spend', 'shop:spent', 'sandbox:clearing') WHERE seq IN (4, 5)",
    ],
    ['A1', 'a reason that was changed', "UPDATE ledger_entries SET reason = 'other' WHERE seq = 4"],
    [
      'A1',
      'a time that was changed',
      'UPDATE ledger_entries SET created_at = created_at - INTERVAL 1 DAY WHERE seq = 4',
    ],
    ['A1', 'a head that was deleted', 'DELETE FROM ledger_entries WHERE seq = 0'],
    [
      'A1',
      'an entry that was written by hand',
      "INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, created_at) SELECT app_id, user_id, asset, 6, 9, balance_after + 9, 'grant', 'by-hand', 'shop:granted', NOW(3) + INTERVAL 2 DAY FROM ledger_entries WHERE seq = 5",
    ],
    [
      'A1',
      'an entry that was written by hand with an old time',
      "INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra, created_at) SELECT app_id, user_id, asset, 6, 9, balance_after + 9, 'grant', 'by-hand', 'shop:granted', NOW(3) - INTERVAL 2 DAY FROM ledger_entries WHERE seq = 5",
    ],
  ];
  test.each(violations)('finds %s: %s', async (invariant, _, sql) => {
    const named = sql.replace(':orderNo', `'${orderNo}'`);
    await shop.stack.mysql.query(named);
    expect(await invariantsFound()).toContain(invariant);
  });

  test('of what changed finds a tail that was cut off long before', async () => {
    await shop.stack.mysql.query('DELETE FROM ledger_entries WHERE seq = 5');
    const tomorrow = new Date(Date.now() + 86_400_000).toISOString();
    const { findings, entries } = await auditLedger(tomorrow);
    expect(entries).toBe(0);
    expect(findings.map(({ invariant }) => invariant)).toContain('A1');
  });

  test('of what changed finds what a full one finds', async () => {
    const anHourAgo = new Date(Date.now() - 3_600_000).toISOString();
    expect((await auditLedger(anHourAgo)).findings).toEqual([]);
    await shop.stack.mysql.query("UPDATE recharge_orders SET units = 61 WHERE status = 'paid'");
    expect((await auditLedger(anHourAgo)).findings).toEqual((await auditLedger()).findings);
  });
});
