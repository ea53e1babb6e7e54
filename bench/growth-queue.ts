import { setTimeout as sleep } from 'node:timers/promises';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { orderNumber } from '../shared/recharge/numbers.ts';
import { sweepRecharge } from '../shared/recharge/sweep.ts';
import { APP, userOf } from './growth-fill.ts';

/** How long somebody who has paid waits beside many open orders of others, if no notification came. */
const OPEN_ORDERS = 1_500;
const LATENCY_MS = 80;
const STOP_AFTER_MS = 300_000;

/** A provider that answers after a while, and how often it was asked. */
export interface SlowProvider {
  latencyMs: number;
  asked: number;
}

export async function honestOrders(mysql: Connection, provider: SlowProvider) {
  provider.latencyMs = LATENCY_MS;
  try {
    return [await waitBeside(mysql, 1), await waitBeside(mysql, 30)];
  } finally {
    provider.latencyMs = 0;
  }
}

async function waitBeside(mysql: Connection, users: number) {
  await postponeAll(mysql);
  const others = Array.from({ length: OPEN_ORDERS }, (_, i) => userOf(i % users));
  await addOrders(mysql, others, -3_600);
  const [paid = ''] = await addOrders(mysql, [userOf(users)], 0);
  await mysql.query(
    `INSERT INTO sandbox_payments (order_no, transaction_id, amount_fen, currency)
     VALUES (?, CONCAT('sandbox-', ?), 600, 'CNY')`,
    [paid, paid],
  );
  const begunAt = performance.now();
  let foundMs = Number.POSITIVE_INFINITY;
  const stopAt = Date.now() + STOP_AFTER_MS;
  const sweep = sweepRecharge({ stopAt, now: () => (foundMs < Number.POSITIVE_INFINITY ? stopAt : Date.now()) });
  while (foundMs === Number.POSITIVE_INFINITY && Date.now() < stopAt) {
    await sleep(50);
    const [rows] = await mysql.query<RowDataPacket[]>('SELECT status FROM recharge_orders WHERE order_no = ?', [paid]);
    if (rows[0]?.status === 'paid') foundMs = performance.now() - begunAt;
  }
  await sweep;
  return {
    'open orders of others': OPEN_ORDERS,
    'of users': users,
    'seconds until it is found': Number((foundMs / 1000).toFixed(1)),
  };
}

/** So that nothing else is due. */
const postponeAll = (mysql: Connection) =>
  mysql.query(
    'UPDATE recharge_orders SET next_check_at = NOW(3) + INTERVAL 1 DAY, updated_at = updated_at WHERE next_check_at <= NOW(3)',
  );

/** Open orders at the sandbox. The first is due in so many seconds, each further one a moment later. Returns their numbers. */
export async function addOrders(
  mysql: Connection,
  userIds: readonly string[],
  dueInSeconds: number,
): Promise<string[]> {
  const orders = userIds.map((userId) => ({ orderNo: orderNumber(APP, userId, String(Math.random())), userId }));
  const row = `(?, '${APP}', ?, 'coin', '', 'p', 'sandbox', 600, 'CNY', 60, NOW(3) + INTERVAL ? SECOND, NOW(3) + INTERVAL 1 HOUR)`;
  await mysql.query(
    `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, amount_fen,
       currency, units, next_check_at, expires_at) VALUES ${orders.map(() => row).join(', ')}`,
    orders.flatMap(({ orderNo, userId }, i) => [orderNo, userId, dueInSeconds + i / 1_000]),
  );
  return orders.map(({ orderNo }) => orderNo);
}
