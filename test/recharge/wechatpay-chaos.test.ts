import type { RowDataPacket } from 'mysql2/promise';
import { beforeAll, expect, test } from 'vitest';
import type { MockWechatPay } from '../../local/simulators/wechatpay/control.ts';
import { startMockWechatPay } from '../../local/simulators/wechatpay/mock.ts';
import { NOT_READ } from '../../shared/cache/cache.ts';
import { AppError } from '../../shared/errors.ts';
import { auditLedger } from '../../shared/recharge/audit.ts';
import { setMerchant } from '../../shared/recharge/merchant-admin.ts';
import { findOrder } from '../../shared/recharge/order.ts';
import { placeOrder } from '../../shared/recharge/place-order.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { syncOrder } from '../../shared/recharge/sync.ts';
import { newUserId } from '../../shared/session/token.ts';
import { atEndOfFile } from '../support/end-of-file.ts';
import { calm, letLoose, settleDown, untilAnswered } from '../support/recharge-chaos.ts';
import { openShop, type Shop } from '../support/recharge-fixture.ts';
import { seededRandom } from '../support/seeded.ts';

/** As chaos.test.ts, with WeChat Pay: calls and notifications are lost, repeated, late or forged. */
const SEEDS = Number(process.env.CHAOS_WECHATPAY_SEEDS ?? 10);
const API_FAULTS = [
  'system-error',
  'system-error-after',
  'bad-gateway',
  'rate-limit',
  'drop-before',
  'drop-after',
] as const;
const NOTICE_FAULTS = ['lose', 'duplicate', 'wrong-signature', 'tampered', 'probe'] as const;
let shop: Shop;
let mock: MockWechatPay;

beforeAll(async () => {
  shop = await openShop();
  mock = await startMockWechatPay({ notifyUrl: `${shop.stack.url}/recharge/notify/wechatpay`, speed: 500 });
  atEndOfFile(() => mock.stop());
  await setMerchant('wechatpay', mock.config, { actor: 'tester' });
});

async function runSeed(seed: number): Promise<{ appId: string; orders: string[] }> {
  const draw = seededRandom(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(draw() * list.length)] as T;
  const appId = `wx-chaos-${seed}`;
  const user = { userId: newUserId(), wechatOpenid: `openid-${seed}` };
  await shop.stack.mysql.execute("INSERT INTO users (user_id, profile) VALUES (?, '{}')", [user.userId]);
  letLoose(shop.stack, draw);
  const drawFaults = (): void => {
    if (draw() < 0.4) mock.setFault({ on: 'any', kind: pick(API_FAULTS) });
    if (draw() < 0.4) mock.setFault({ on: 'notification', kind: pick(NOTICE_FAULTS) });
  };
  const orders: string[] = [];
  for (let i = 0; i < 4; i++) {
    drawFaults();
    const reads = { leaseId: `chaos-${seed}`, reads: [NOT_READ, NOT_READ] };
    const body = { productId: 'coins-60', provider: 'wechatpay' };
    const placed = await untilAnswered(() => placeOrder(appId, user, `key-${seed}-order-${i}`, body, reads));
    if (placed instanceof AppError) throw new Error(`an order was refused: ${placed.code}`);
    orders.push(placed.orderNo);
    if (draw() < 0.75) {
      const paying = mock.pay(placed.orderNo);
      if (draw() < 0.5) await paying;
    }
    drawFaults();
    if (draw() < 0.5) await untilAnswered(async () => syncOrder((await findOrder(pick(orders))) as never));
    if (draw() < 0.5) {
      const refund = { orderNo: pick(orders), amountFen: 100 + Math.floor(draw() * 300), key: `r${i}` };
      await Promise.all([untilAnswered(() => requestRefund(refund)), untilAnswered(() => requestRefund(refund))]);
    }
    for (const { outRefundNo, status } of mock.refunds()) {
      if (status === 'PROCESSING' && draw() < 0.5) await mock.refundResult(outRefundNo, pick(['SUCCESS', 'CLOSED']));
    }
    if (draw() < 0.3) await untilAnswered(() => sweepRecharge({ stopAt: Date.now() + 5_000 }));
  }
  calm(shop.stack);
  mock.clearFaults();
  for (const { outRefundNo, status } of mock.refunds()) {
    if (status === 'PROCESSING') await mock.refundResult(outRefundNo, 'SUCCESS');
  }
  return { appId, orders };
}

test(`WeChat Pay and the ledger agree after ${SEEDS} seeds of lost calls and broken notifications`, {
  timeout: 60_000 + SEEDS * 20_000,
}, async () => {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const { appId, orders } = await runSeed(seed);
    await settleDown(shop.stack, appId);
    // Some refunds reached WeChat only in this step. WeChat completes them, and the sweeper asks once more.
    for (const { outRefundNo, status } of mock.refunds()) {
      if (status === 'PROCESSING') await mock.refundResult(outRefundNo, 'SUCCESS');
    }
    await settleDown(shop.stack, appId);
    const [entries] = await shop.stack.mysql.query<RowDataPacket[]>(
      "SELECT ref FROM ledger_entries WHERE app_id = ? AND kind = 'recharge' ORDER BY ref",
      [appId],
    );
    const paid = mock.orders().filter(({ outTradeNo, state }) => orders.includes(outTradeNo) && state === 'SUCCESS');
    expect(
      entries.map(({ ref }) => ref),
      `seed ${seed}`,
    ).toEqual(paid.map(({ outTradeNo }) => outTradeNo).sort());
    const [refunds] = await shop.stack.mysql.query<RowDataPacket[]>(
      'SELECT r.refund_no, UPPER(r.status) AS status FROM refunds r JOIN recharge_orders o ON o.order_no = r.order_no WHERE o.app_id = ?',
      [appId],
    );
    const atWechat = new Map(mock.refunds().map(({ outRefundNo, status }) => [outRefundNo, status]));
    for (const { refund_no, status } of refunds) expect(status, `seed ${seed}`).toBe(atWechat.get(refund_no));
    await shop.stack.mysql.execute('UPDATE recharge_orders SET next_check_at = NULL WHERE app_id = ?', [appId]);
  }
  expect((await auditLedger()).findings).toEqual([]);
  expect(mock.notifications().every(({ flawsAccepted }) => flawsAccepted === 0)).toBe(true);
});
