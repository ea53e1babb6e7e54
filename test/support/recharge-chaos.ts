import { setTimeout as sleep } from 'node:timers/promises';
import type { RowDataPacket } from 'mysql2/promise';
import { AppError, EngineError } from '../../shared/errors.ts';
import { createOrder } from '../../shared/recharge/create-order.ts';
import { findOrder } from '../../shared/recharge/order.ts';
import { type Payment, settlePayment } from '../../shared/recharge/payment.ts';
import { NO_TERMS } from '../../shared/recharge/provider.ts';
import { requestRefund } from '../../shared/recharge/refund.ts';
import { sweepRecharge } from '../../shared/recharge/sweep.ts';
import { syncOrder } from '../../shared/recharge/sync.ts';
import { newUserId } from '../../shared/session/token.ts';
import { seededRandom } from './seeded.ts';
import type { TestStack } from './stack.ts';
import { type WalletAnswers, walletActs, wrongWallets } from './wallet-chaos.ts';

/**
 * Chaos from a seed: random orders, refunds (some of which the provider refuses), spends, holds, grants that expire and
 * adjustments, two sweepers at once, and notifications that arrive late, twice, out of order or never. Meanwhile any request to an engine may be lost before or after it was applied, and any caller may crash
 * between two requests. Each call is repeated until it is answered. Then the ledger is compared with the payments.
 */
interface ChaosOptions {
  stack: TestStack;
  seed: number;
  /** Replaces the credit of a notification: a test shows that the checks find a wrong one. */
  settle?: (payment: Payment) => Promise<unknown>;
}

/**
 * Of the requests to MySQL, 3 % are lost before they arrive, 4 % of the answers are lost, and in 4 % the caller crashes
 * before the request. Never three losses in a row: then the circuit breaker would refuse callers for two seconds.
 */
export function letLoose(stack: TestStack, draw: () => number): void {
  let lost = 0;
  stack.faults.mysql = ({ sql }) => {
    if (sql === undefined) return undefined;
    const dice = draw();
    lost = dice < 0.07 && lost < 2 ? lost + 1 : 0;
    if (lost === 0 && dice < 0.07) return undefined;
    if (dice < 0.03) return { kind: 'drop-before' };
    if (dice < 0.07) return { kind: 'drop-after' };
    // No code repeats or handles refused credentials: the call ends there, like a Lambda that was killed.
    if (dice < 0.11) return { kind: 'status', status: 401, body: '{}' };
    return undefined;
  };
  stack.faults.redis = () => {
    const dice = draw();
    return dice < 0.05 ? { kind: 'drop-before' } : dice < 0.1 ? { kind: 'drop-after' } : undefined;
  };
}

export function calm(stack: TestStack): void {
  stack.faults.mysql = undefined;
  stack.faults.redis = undefined;
}

/** Repeats the work until it is answered. A refusal is an answer. */
export async function untilAnswered<T>(work: () => Promise<T>): Promise<T | AppError> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (error instanceof AppError && error.code !== 'UNAVAILABLE') return error;
      if (!(error instanceof EngineError || error instanceof AppError)) throw error;
      await sleep(error instanceof EngineError && error.reason === 'breaker open' ? 200 : 1);
    }
  }
}

/** Runs one seed; returns the errors that it finds afterwards. */
export async function runChaos({ stack, seed, settle = settlePayment }: ChaosOptions): Promise<string[]> {
  const draw = seededRandom(seed);
  const below = (n: number) => Math.floor(draw() * n);
  const appId = `chaos-${seed}-${newUserId().slice(0, 6)}`;
  const users = [newUserId(), newUserId()];
  for (const userId of users)
    await stack.mysql.execute("INSERT INTO users (user_id, profile) VALUES (?, '{}')", [userId]);
  letLoose(stack, draw);

  const key = (name: string) => `key-${name}-${seed}`.padEnd(16, '0');
  const wallets = { provider: 'sandbox', providerAppId: '', merchantId: '' };
  const ordered = await Promise.all(
    Array.from({ length: 5 }, async (_, i) => {
      const userId = users[i % users.length] as string;
      const ordered = { appId, userId, idempotencyKey: key(`order${i}`), productId: 'coins-60', ...wallets };
      const wanted = { ...ordered, terms: NO_TERMS, title: '' };
      const [first, again] = await Promise.all([
        untilAnswered(() => createOrder(wanted)),
        untilAnswered(() => createOrder(wanted)),
      ]);
      if (first instanceof AppError || again instanceof AppError) throw new Error('an order was refused');
      if (first.orderNo !== again.orderNo) throw new Error('one key made two orders');
      return { orderNo: first.orderNo, userId, paid: i < 3 || draw() < 0.5, notifications: below(5) };
    }),
  );
  for (const { orderNo, paid } of ordered) {
    if (!paid) continue;
    await stack.mysql.execute(
      "INSERT INTO sandbox_payments (order_no, transaction_id, amount_fen, currency) VALUES (?, ?, 600, 'CNY')",
      [orderNo, `t-${orderNo}`],
    );
  }

  const answers: WalletAnswers = new Map();
  const acts: Array<() => Promise<unknown>> = [];
  for (const { orderNo, userId, paid, notifications } of ordered) {
    const payment = {
      ...wallets,
      orderNo,
      transactionId: `t-${orderNo}`,
      amountFen: 600,
      currency: 'CNY',
      paidAt: null,
    };
    for (let i = 0; paid && i < notifications; i++) acts.push(() => settle(payment));
    if (draw() < 0.3 && settle === settlePayment) acts.push(async () => syncOrder((await findOrder(orderNo)) as never));
    // A refund with this reason is refused by the sandbox for good.
    const reason = draw() < 0.3 ? 'refuse' : 'changed my mind';
    const refund = { orderNo, amountFen: 100 + below(500), key: key('refund'), reason };
    if (draw() < 0.4)
      acts.push(
        () => requestRefund(refund),
        () => requestRefund(refund),
      );
    if (draw() < 0.2) acts.push(() => requestRefund({ ...refund, key: key('second') }));
    acts.push(...walletActs({ appId, userId, name: orderNo, draw, answers }));
  }
  for (let i = 0; i < 2; i++) acts.push(() => sweepRecharge({ stopAt: Date.now() + 10_000 }));
  for (let i = acts.length - 1; i > 0; i--) {
    const j = below(i + 1);
    [acts[i], acts[j]] = [acts[j] as () => Promise<unknown>, acts[i] as () => Promise<unknown>];
  }
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let act = acts.pop(); act; act = acts.pop()) await untilAnswered(act);
    }),
  );
  calm(stack);
  await untilAllEnded(stack, appId);
  await settleDown(stack, appId);
  // The sweeper of the next seed must not process the unpaid orders.
  await stack.mysql.execute('UPDATE recharge_orders SET next_check_at = NULL WHERE app_id = ?', [appId]);
  return [...(await whatIsWrong(stack, appId, ordered)), ...(await wrongWallets(stack, appId, answers))];
}

/** Waits for the last hold or lot, by the clock of MySQL. */
async function untilAllEnded(stack: TestStack, appId: string): Promise<void> {
  const [[row]] = await stack.mysql.query<RowDataPacket[]>(
    'SELECT TIMESTAMPDIFF(MICROSECOND, NOW(3), MAX(expires_at)) DIV 1000 AS ms FROM ledger_entries WHERE app_id = ?',
    [appId],
  );
  await sleep(Math.max(0, Number(row?.ms ?? 0)) + 1);
}

/** Runs the schedule twice, without faults, with all orders due and no request for a refund on its way. */
export async function settleDown(stack: TestStack, appId: string): Promise<void> {
  for (let round = 0; round < 2; round++) {
    await stack.mysql.execute(
      'UPDATE recharge_orders SET next_check_at = NOW(3) - INTERVAL 1 SECOND WHERE app_id = ? AND next_check_at IS NOT NULL',
      [appId],
    );
    await stack.mysql.execute(
      `UPDATE refunds SET next_check_at = NOW(3) - INTERVAL 1 SECOND, sent_at = NULL WHERE next_check_at IS NOT NULL AND order_no IN
        (SELECT order_no FROM recharge_orders WHERE app_id = ?)`,
      [appId],
    );
    await untilAnswered(async () => {
      const { failed } = await sweepRecharge({ stopAt: Date.now() + 20_000 });
      if (failed > 0) throw new EngineError('mysql', 'breaker open', 'unknown');
    });
  }
}

async function whatIsWrong(
  stack: TestStack,
  appId: string,
  ordered: ReadonlyArray<{ orderNo: string; paid: boolean }>,
): Promise<string[]> {
  const wrong: string[] = [];
  const rows = async (sql: string) => (await stack.mysql.query<RowDataPacket[]>(sql, [appId]))[0];
  const entries = await rows("SELECT ref FROM ledger_entries WHERE app_id = ? AND kind = 'recharge'");
  const orders = await rows('SELECT * FROM recharge_orders WHERE app_id = ?');
  for (const { orderNo, paid } of ordered) {
    const credits = entries.filter(({ ref }) => String(ref).startsWith(orderNo));
    if (credits.length !== (paid ? 1 : 0)) wrong.push(`${orderNo}: ${credits.length} credits, paid: ${paid}`);
    const status = String(orders.find(({ order_no }) => order_no === orderNo)?.status);
    if (['paid', 'partial_refund', 'refunded'].includes(status) !== paid)
      wrong.push(`${orderNo}: ${status}, paid: ${paid}`);
  }
  return wrong;
}
