import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client } from '@planetscale/database';
import { startBackend } from '../local/backend.ts';
import { startMysql, startRedis } from '../local/engines/engines.ts';
import { newKeys } from '../local/keys-file.ts';
import { credit, type Payment, settlePayment } from '../shared/recharge/payment.ts';

/**
 * Credits per second (the median of rounds in turn) and calls per credit. Compares the ledger's single statement with a
 * transaction that reads and writes a balance, over the same gateway and engine, in one run. Each call of a transaction
 * is a round trip.
 */
interface Row {
  name: string;
  creditsPerSecond: number;
  callsPerCredit: number;
}

/** A way to write a credit, and what was measured of it. */
interface Way {
  name: string;
  work(payment: Payment): Promise<unknown>;
  /** Of each round. */
  perSecond: number[];
  calls: number;
}

export const suite = {
  name: 'recharge',
  about: 'credits per second and calls per credit, compared with a transaction',
  run: compareCredits,
};

const USERS = 20;
const PARALLEL = 16;
const WARM_UP = 500;
const ROUNDS = 5;

async function compareCredits({ credits = 1_000 }: { credits?: number } = {}) {
  const directory = await mkdtemp(join(tmpdir(), 'miniapp-bench-recharge-'));
  const redis = await startRedis({ directory: join(directory, 'redis') });
  const mysql = await startMysql({ directory: join(directory, 'mysql') });
  const { host, port, user, password } = mysql;
  const backend = await startBackend({
    redis: { host: redis.host, port: redis.port },
    mysql: { host, port, user, password, database: 'bench' },
    keys: newKeys(),
    seeded: false,
    env: { LOG: 'off' },
    log: () => {},
  });
  try {
    const client = new Client({ url: backend.planetscale.url });
    await client.execute('CREATE TABLE wallets (user_id VARCHAR(32) PRIMARY KEY, balance BIGINT NOT NULL)');
    await makeUsers(client);
    await client.execute('INSERT INTO wallets SELECT user_id, 0 FROM users');
    const calls = () => backend.planetscale.stats().requests;
    const ways: Way[] = [
      { name: 'one statement', work: credit, perSecond: [], calls: 0 },
      {
        name: 'a whole notification: credit, mark the order, delete the cached balance',
        work: settlePayment,
        perSecond: [],
        calls: 0,
      },
      {
        name: 'transaction: BEGIN, SELECT FOR UPDATE, UPDATE, INSERT, COMMIT',
        work: (payment) => creditInTransaction(client, payment),
        perSecond: [],
        calls: 0,
      },
    ];
    const measure = async (way: Way, round: string): Promise<void> => {
      const payments = await makeOrders(client, `${round}${way.name}`, credits);
      const [callsBefore, startedAt] = [calls(), performance.now()];
      await inParallel(payments, way.work);
      way.perSecond.push((credits * 1_000) / (performance.now() - startedAt));
      way.calls += calls() - callsBefore;
    };
    for (const way of ways) await inParallel(await makeOrders(client, `w${way.name}`, WARM_UP), way.work);
    // In turn: what else runs on the machine is shared by all of them.
    for (let round = 0; round < ROUNDS; round++) for (const way of ways) await measure(way, String(round));
    const rows = ways.map(
      (way): Row => ({
        name: way.name,
        creditsPerSecond: Math.round(median(way.perSecond)),
        callsPerCredit: way.calls / (credits * ROUNDS),
      }),
    );
    const ratio = (rows[0]?.creditsPerSecond ?? 0) / (rows.at(-1)?.creditsPerSecond ?? 1);
    return { parallel: PARALLEL, rounds: ROUNDS, credits, rows, ratio };
  } finally {
    await backend.stop();
    await mysql.stop();
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

const median = (numbers: readonly number[]): number => [...numbers].sort((a, b) => a - b)[numbers.length >> 1] ?? 0;

export async function makeUsers(client: Client): Promise<void> {
  for (let i = 0; i < USERS; i++) {
    await client.execute("INSERT INTO users (user_id, profile) VALUES (?, '{}')", [`user${i}`]);
  }
}

export async function makeOrders(client: Client, name: string, count: number): Promise<Payment[]> {
  const ours = {
    provider: 'sandbox',
    providerAppId: '',
    merchantId: '',
    amountFen: 600,
    currency: 'CNY',
    paidAt: null,
  };
  const payments = Array.from({ length: count }, (_, i) => {
    const orderNo = `R${name.replace(/\W/g, '').slice(0, 16).toUpperCase()}${i}`;
    return { ...ours, orderNo, transactionId: `t-${orderNo}` };
  });
  for (let at = 0; at < count; at += 500) {
    const page = payments.slice(at, at + 500);
    await client.execute(
      `INSERT INTO recharge_orders (order_no, app_id, user_id, asset, request_hash, product_id, provider, amount_fen,
         currency, units) VALUES ${page.map(() => "(?, 'bench', ?, 'coin', '', 'p', 'sandbox', 600, 'CNY', 60)").join(', ')}`,
      page.flatMap(({ orderNo }, i) => [orderNo, `user${(at + i) % USERS}`]),
    );
  }
  return payments;
}

async function inParallel(payments: Payment[], work: (payment: Payment) => Promise<unknown>): Promise<void> {
  const left = [...payments];
  const worker = async (): Promise<void> => {
    for (let payment = left.pop(); payment; payment = left.pop()) await work(payment);
  };
  await Promise.all(Array.from({ length: PARALLEL }, worker));
}

/** The usual way to write a credit. After a deadlock the transaction must be tried again. */
async function creditInTransaction(client: Client, { orderNo }: Payment): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await client.transaction(async (tx) => {
        const { rows } = await tx.execute(
          `SELECT o.user_id, o.units, o.status, w.balance FROM recharge_orders o JOIN wallets w ON w.user_id = o.user_id
            WHERE o.order_no = ? FOR UPDATE`,
          [orderNo],
        );
        const order = rows[0] as { user_id: string; units: string; status: string; balance: string };
        if (order.status !== 'pending') return;
        const balance = Number(order.balance) + Number(order.units);
        await tx.execute(
          `UPDATE recharge_orders o JOIN wallets w ON w.user_id = o.user_id SET o.status = 'paid', w.balance = ?
            WHERE o.order_no = ?`,
          [balance, orderNo],
        );
        await tx.execute(
          `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, kind, ref, contra)
           VALUES ('plain', ?, 'coin', ?, ?, ?, 'recharge', ?, 'sandbox:clearing')`,
          [order.user_id, balance / 60, order.units, balance, orderNo],
        );
      });
      return;
    } catch (error) {
      if (attempt === 20) throw error;
    }
  }
}
