import { randomBytes } from 'node:crypto';
import { beforeAll, expect, test } from 'vitest';
import { portalHere, portalJson } from '../support/portal-command.ts';
import { startTestStack, type TestApp, type TestStack } from '../support/stack.ts';

let stack: TestStack;
let app: TestApp;
let session: string;
beforeAll(async () => {
  stack = await startTestStack({ seeded: true });
  app = await stack.createApp();
  const body = { account: 'demo', password: 'demo-password-1' };
  session = (await stack.call(app, 'POST', '/login', { body })).body.token;
});

async function paidOrder(): Promise<string> {
  const headers = { 'idempotency-key': randomBytes(16).toString('hex') };
  const body = { productId: 'coins-100', provider: 'sandbox' };
  const { orderNo } = (await stack.call(app, 'POST', '/recharge', { session, headers, body })).body;
  await portalJson(['recharge', 'pay', '--order', orderNo]);
  return orderNo;
}
const refund = (orderNo: string, ...more: string[]) =>
  portalHere(['recharge', 'refund', '--order', orderNo, '--json', ...more]);
const refundedFen = async (orderNo: string): Promise<number> => {
  const [rows] = await stack.mysql.query('SELECT SUM(amount_fen) AS fen FROM refunds WHERE order_no = ?', [orderNo]);
  return Number((rows as Array<{ fen: string | null }>)[0]?.fen);
};

test('the same refund typed twice pays back once, and the second command names the first refund and --again', async () => {
  const orderNo = await paidOrder();
  const first = await refund(orderNo, '--amount-fen', '1');
  const second = await refund(orderNo, '--amount-fen', '1');
  expect(second).toMatchObject({ code: 1, stdout: expect.not.stringContaining('refundNo') });
  expect(second.stderr).toContain(`Refund ${first.json.refundNo} of 1 fen`);
  expect(second.stderr).toContain('--again');
  expect(await refundedFen(orderNo)).toBe(1);
  expect(await refund(orderNo, '--amount-fen', '1', '--again')).toMatchObject({ code: 0 });
  expect(await refundedFen(orderNo)).toBe(2);
});

test('two operators who type the same refund at the same time pay back once; each --again pays back at most once more', async () => {
  const orderNo = await paidOrder();
  const together = (...more: string[]) =>
    Promise.all(Array.from({ length: 6 }, () => portalHere(['recharge', 'refund', '--order', orderNo, ...more])));
  await together('--amount-fen', '2');
  expect(await refundedFen(orderNo)).toBe(2);
  await together('--amount-fen', '2', '--again');
  const fen = await refundedFen(orderNo);
  expect(fen).toBeGreaterThanOrEqual(2 * 2);
  expect(fen).toBeLessThanOrEqual(2 * 7);
});

test('a refund of another amount, of the rest, or of another order needs no --again', async () => {
  const [orderNo, other] = [await paidOrder(), await paidOrder()];
  for (const argv of [['--amount-fen', '1'], ['--amount-fen', '2'], []]) {
    expect(await refund(orderNo, ...argv)).toMatchObject({ code: 0 });
  }
  expect(await refund(other, '--amount-fen', '1')).toMatchObject({ code: 0 });
  expect(await refund(orderNo, '--again')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Nothing is left'),
  });
});

test('a day later, or after the provider closed the first one, the same refund is a new one', async () => {
  const orderNo = await paidOrder();
  await refund(orderNo, '--amount-fen', '1');
  await stack.mysql.query('UPDATE refunds SET created_at = NOW(3) - INTERVAL 25 HOUR WHERE order_no = ?', [orderNo]);
  expect(await refund(orderNo, '--amount-fen', '1')).toMatchObject({ code: 0 });
  await stack.mysql.query("UPDATE refunds SET status = 'closed' WHERE order_no = ?", [orderNo]);
  expect(await refund(orderNo, '--amount-fen', '1')).toMatchObject({ code: 0 });
  expect(await refundedFen(orderNo)).toBe(3);
});

test('a key of one’s own repeats the same refund, and a second key is a second refund', async () => {
  const orderNo = await paidOrder();
  const first = await refund(orderNo, '--amount-fen', '1', '--key', 'a');
  expect((await refund(orderNo, '--amount-fen', '1', '--key', 'a')).json).toEqual(first.json);
  expect((await refund(orderNo, '--amount-fen', '1', '--key', 'b')).json.refundNo).not.toBe(first.json.refundNo);
  expect(await refundedFen(orderNo)).toBe(2);
});
