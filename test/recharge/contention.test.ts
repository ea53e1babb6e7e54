import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { setUserDisabled } from '../../shared/account/change.ts';
import { eraseAccount } from '../../shared/account/erase.ts';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { settlePayment } from '../../shared/recharge/payment.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { payAtSandbox } from '../../shared/recharge/sandbox/pay.ts';
import { spend } from '../../shared/recharge/spend.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import type { CurrentUser } from '../../shared/session/session.ts';
import { openBearerSession } from '../support/bearer-session.ts';
import { KNOWN_PASSWORD, QUICK_HASH } from '../support/known-accounts.ts';
import { newKey, openShop, type Shop, type Shopper, sandboxPayment } from '../support/recharge-fixture.ts';

let shop: Shop;
let shopper: Shopper;
beforeAll(async () => {
  shop = await openShop();
});
beforeEach(async () => {
  shopper = await shop.shopper();
});

afterEach(() => {
  shop.stack.faults.mysql = undefined;
});

const place = async (): Promise<string> => (await shopper.create()).body.orderNo;
const pay = (orderNo: string) => settlePayment(sandboxPayment(orderNo));
/** MySQL reports a deadlock for the next `times` statements that match `form`. */
function deadlocks(form: RegExp, times: number): void {
  const error = { code: 'ABORTED', message: 'Deadlock found (errno 1213) (sqlstate 40001)' };
  let left = times;
  shop.stack.faults.mysql = ({ sql = '' }) =>
    form.test(sql) && left-- > 0 ? { kind: 'status', status: 200, body: JSON.stringify({ error }) } : undefined;
}
describe('deadlocks in MySQL', () => {
  test('fail no payment, spend or refund, also five in a row', async () => {
    const orderNo = await place();
    deadlocks(/INTO ledger_entries/, 5);
    expect(await pay(orderNo)).toBe('credited');
    deadlocks(/INTO ledger_entries/, 5);
    expect(await spend(shop.app.appId, shopper.userId, newKey(), { amount: 10 })).toMatchObject({
      result: { balance: 50 },
    });
    deadlocks(/INTO refunds/, 5);
    expect(await requestRefund({ orderNo, amountFen: 100, key: 'k' })).toMatchObject({ units: 10, status: 'success' });
    shop.stack.faults.mysql = undefined;
    expect(await shopper.balance()).toBe(40);
  });

  test('during the repair of order marks do not stop the rest of a sweep', async () => {
    const [marked, unreported] = [await place(), await place()];
    await pay(marked);
    await payAtSandbox(unreported, { notification: false });
    await shop.stack.mysql.query(
      "UPDATE recharge_orders SET status = 'pending', next_check_at = NOW(3) - INTERVAL 1 MINUTE WHERE order_no IN (?)",
      [[marked, unreported]],
    );
    deadlocks(/SET status = 'paid'/, 1);
    expect(await sweepRecharge({ stopAt: Date.now() + 20_000 })).toMatchObject({ repaired: 1, credited: 1, failed: 0 });
    shop.stack.faults.mysql = undefined;
  });
});

test('after a sweeper crashed in its last check of an order, the next sweep marks the order as paid', async () => {
  const orderNo = await place();
  await payAtSandbox(orderNo, { notification: false });
  await shop.stack.mysql.query(
    `UPDATE recharge_orders SET status = 'closed', expires_at = NOW(3) - INTERVAL 4 DAY,
            next_check_at = NOW(3) - INTERVAL 1 MINUTE WHERE order_no = ?`,
    [orderNo],
  );
  shop.stack.faults.mysql = ({ sql = '' }) =>
    /SET status = 'paid'/.test(sql) ? { kind: 'status', status: 401, body: '{}' } : undefined;
  expect(await sweepRecharge({ stopAt: Date.now() + 20_000 })).toMatchObject({ failed: 1 });
  shop.stack.faults.mysql = undefined;
  await shop.stack.mysql.query(
    'UPDATE recharge_orders SET next_check_at = NOW(3) - INTERVAL 1 MINUTE WHERE next_check_at IS NOT NULL',
  );
  expect(await sweepRecharge({ stopAt: Date.now() + 20_000 })).toMatchObject({ repaired: 1 });
  expect((await shopper.get(`/recharge/${orderNo}`)).body.status).toBe('paid');
  expect((await auditLedger()).findings).toEqual([]);
});

test('logins, profile changes, disabling, erasing and payments of one user work at the same time', {
  timeout: 60_000,
}, async () => {
  const { userId, session } = shopper;
  const orders = await Promise.all(Array.from({ length: 12 }, place));
  const others = Array.from({ length: 6 }, (_, i) => [
    () => openBearerSession(shop.app.appId, userId, `device ${i}`),
    () => shop.stack.call(shop.app, 'PUT', '/me', { session, body: { profile: { nickname: `n${i}` } } }),
    () => setUserDisabled(userId, false),
  ]).flat();
  const answers = await Promise.all([
    ...orders.flatMap((orderNo) => [shop.notify({ orderNo }), shop.notify({ orderNo })]),
    ...others.map((work) => work()),
  ]);
  for (const answer of answers) if (answer && 'status' in answer) expect(answer.status).toBeLessThan(300);
  expect(await shopper.balance()).toBe(12 * 60);

  const more = await Promise.all(Array.from({ length: 6 }, place));
  const user = { userId, sessionId: session.split('.')[2] ?? '' } as CurrentUser;
  await shop.stack.mysql.query('UPDATE users SET password_hash = ? WHERE user_id = ?', [QUICK_HASH, userId]);
  const proof = { password: KNOWN_PASSWORD };
  const [erased, ...notifications] = await Promise.all([
    eraseAccount({ appId: shop.app.appId, user, proof, forfeit: true, ip: '', leaseId: '', reads: [] }),
    ...more.map((orderNo) => shop.notify({ orderNo })),
  ]);
  expect(erased).toBeUndefined();
  expect(notifications.map(({ status }) => status)).toEqual(new Array(6).fill(204));
  const sql = "SELECT SUM(delta) AS units FROM ledger_entries WHERE user_id = ? AND kind = 'recharge'";
  const [rows] = await shop.stack.mysql.query(sql, [userId]);
  expect(Number((rows as Array<{ units: string }>)[0]?.units)).toBe(18 * 60);
  expect((await auditLedger()).findings).toEqual([]);
});
