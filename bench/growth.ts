import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { type Connection, createConnection } from 'mysql2/promise';
import type { GatewayFault } from '../gateway/faults.ts';
import { startBackend } from '../local/backend.ts';
import { type MysqlServer, startMysql, startRedis } from '../local/engines/engines.ts';
import { newKeys } from '../local/keys-file.ts';
import { query } from '../shared/db.ts';
import { auditLedger } from '../shared/recharge/audit.ts';
import { chinaDay, chinaDayOf, dayAfter } from '../shared/recharge/books/china-day.ts';
import { compareBill } from '../shared/recharge/books/compare.ts';
import { reportDay } from '../shared/recharge/books/day.ts';
import { exportBooks } from '../shared/recharge/books/export.ts';
import { reportMonth } from '../shared/recharge/books/month.ts';
import { dueOrders } from '../shared/recharge/due-orders.ts';
import { readHolding } from '../shared/recharge/entry.ts';
import { openWorkOf } from '../shared/recharge/open-work.ts';
import { settlePayment } from '../shared/recharge/payment.ts';
import { spend } from '../shared/recharge/spend.ts';
import { sweepRecharge } from '../shared/recharge/sweep.ts';
import { APP, billOfDay, fillTables, MERCHANT, prepareFill, refundsOfDay, sizeOf, userOf } from './growth-fill.ts';
import { addOrders, honestOrders, type SlowProvider } from './growth-queue.ts';

/** How long the work of money takes when its tables are large. */
export const suite = {
  name: 'growth',
  about: 'money with large tables: sweep, reconcile, audit, reports, credits at 100 000 and 1 000 000 entries',
  help: `npm run bench -- growth [--rows 100000,1000000] [--json]
  --rows  entries of the ledger: one or more rising multiples of 10 000. Each size is measured after the one before.`,
  run,
};

const DAY = dayAfter(chinaDayOf(Date.now()), -1);
/** Its wallet began long ago. */
const USER = userOf(1_999);
const BATCH = 200;
/** All orders that are due are its orders. */
const SANDBOX_MERCHANT = { provider: 'sandbox', providerAppId: '', merchantId: '' };
const say = (text: string): void => console.error(text);

function rowsWanted(): number[] {
  const options = { rows: { type: 'string', default: '100000,1000000' }, json: { type: 'boolean' } } as const;
  const { rows } = parseArgs({ args: process.argv.slice(3), options, allowPositionals: false }).values;
  const sizes = rows.split(',').map(Number);
  if (sizes.some((size, i) => !(size >= 10_000) || size % 10_000 > 0 || size <= (sizes[i - 1] ?? 0)))
    throw new Error('--rows takes rising multiples of 10 000.');
  return sizes;
}

type Measured = Record<string, number>;

async function run() {
  const sizes = rowsWanted();
  const directory = await mkdtemp(join(tmpdir(), 'miniapp-bench-growth-'));
  // A provider that answers slowly: the sandbox is asked by one statement.
  const provider: SlowProvider = { latencyMs: 0, asked: 0 };
  const intercept = ({ sql = '' }: { sql?: string }): GatewayFault | undefined => {
    if (!sql.includes('FROM sandbox_payments WHERE order_no')) return undefined;
    provider.asked++;
    return { kind: 'delay', ms: provider.latencyMs };
  };
  const redis = await startRedis({ directory: join(directory, 'redis') });
  const mysql = await startMysql({ directory: join(directory, 'mysql'), durable: true });
  const { host, port, user, password } = mysql;
  const login = { host, port, user, password, database: 'bench' };
  const backend = await startBackend({
    redis: { host: redis.host, port: redis.port },
    mysql: login,
    keys: newKeys(),
    seeded: false,
    intercept: { mysql: intercept },
    env: { LOG: 'off', MYSQL_TIMEOUT_MS: '600000' },
    log: () => {},
  });
  const connection = await createConnection(login);
  try {
    await prepareFill(connection);
    const growth: Measured[] = [];
    let from = 0;
    for (const entries of sizes) {
      const size = sizeOf(entries);
      await roomToFill(connection, mysql.flavour);
      await fillTables(connection, from, size, DAY, say);
      await connection.query(`SET GLOBAL innodb_buffer_pool_size = ${MEASURED_POOL}`);
      from = size.wallets;
      growth.push({ entries, ...(await measureAll(connection, provider)) });
    }
    const queue = await honestOrders(connection, provider);
    return { growth: transposed(growth), queue };
  } finally {
    connection.destroy();
    await backend.stop();
    await mysql.stop();
    await redis.stop();
    await rm(directory, { recursive: true, force: true });
  }
}

const MEASURED_POOL = 128 * 2 ** 20;
/** Rows are filled in the order of time, which is not that of their keys: with little memory that takes ten times longer. */
async function roomToFill(connection: Connection, flavour: MysqlServer['flavour']): Promise<void> {
  await connection.query('SET sql_log_bin = 0, unique_checks = 0');
  await connection.query(`SET GLOBAL innodb_buffer_pool_size = ${2 ** 30}`);
  const log = flavour === 'mariadb' ? 'innodb_log_file_size' : 'innodb_redo_log_capacity';
  await connection.query(`SET GLOBAL ${log} = ${2 ** 30}`);
}

/** One row for each kind of work, with a column for each size. */
function transposed(sizes: readonly Measured[]) {
  const works = Object.keys(sizes[0] ?? {}).filter((name) => name !== 'entries');
  return works.map((work) => ({
    work,
    ...Object.fromEntries(sizes.map((size) => [`ms at ${size.entries}`, size[work]])),
    ratio: Number(((sizes.at(-1)?.[work] ?? 0) / (sizes[0]?.[work] ?? 1)).toFixed(2)),
  }));
}

async function measureAll(connection: Connection, provider: SlowProvider): Promise<Measured> {
  const yesterday = chinaDay(DAY).from;
  const month = dayAfter(DAY, -100).slice(0, 7);
  const found: Measured = {};
  const measure = async (name: string, work: () => Promise<unknown>, rounds = ROUNDS): Promise<void> => {
    found[name] = await bestOf(work, rounds);
    say(`${name}: ${found[name]} ms`);
  };
  await measure('read a batch of due orders', dueOrders);
  await measure('sweep a batch of 200 orders, without the time of the provider', () => sweepBatch(provider), BATCHES);
  await measure('reconcile a day with 1 000 payments', reconcile);
  await measure('audit what changed since yesterday', () => audit(yesterday));
  await measure('full audit', () => audit(null));
  await measure('report of yesterday', () => report(reportDay(DAY)));
  await measure('report of a day 100 days ago', () => report(reportDay(dayAfter(DAY, -100))));
  await measure('report of a month 100 days ago', () => report(reportMonth(month)));
  await measure('export of yesterday', () => exportDay(DAY));
  await measure('export of a day 100 days ago', () => exportDay(dayAfter(DAY, -100)));
  await measure('open work of a merchant', () => openWorkOf(SANDBOX_MERCHANT, query));
  await measure('balance', () => readHolding(APP, USER, 'coin'));
  await measure('spend', () => spend(APP, USER, `growth-${Math.random()}`, { amount: 1 }));
  await measure('order and credit', () => payOrder(connection));
  return found;
}

const ENOUGH_MS = 4_000;
const ROUNDS = 20;
/** An order that was asked for is not due again soon, and the smallest tables have ten batches. */
const BATCHES = 5;

/**
 * The best of up to twenty, or of as many as fit into four seconds, and of two at least: other work on the machine only
 * makes it slower, and the first finds nothing in memory.
 */
async function bestOf(work: () => Promise<unknown>, rounds: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  const begunAt = performance.now();
  for (let round = 0; round < rounds && (round < 2 || performance.now() - begunAt < ENOUGH_MS); round++) {
    const startedAt = performance.now();
    await work();
    best = Math.min(best, performance.now() - startedAt);
  }
  return Number(best.toFixed(1));
}

/** The clock stops the sweep when a batch was asked. */
async function sweepBatch(provider: SlowProvider): Promise<void> {
  const until = provider.asked + BATCH;
  const stopAt = Date.now() + 600_000;
  const { asked, failed } = await sweepRecharge({ stopAt, now: () => (provider.asked < until ? Date.now() : stopAt) });
  if (asked < BATCH || failed > 0) throw new Error('the sweep did not ask for a whole batch');
}

async function payOrder(connection: Connection): Promise<void> {
  const [orderNo = ''] = await addOrders(connection, [USER], 86_400);
  const paid = { ...SANDBOX_MERCHANT, amountFen: 600, currency: 'CNY', paidAt: null };
  await settlePayment({ ...paid, orderNo, transactionId: `t${orderNo}` });
}

async function reconcile(): Promise<void> {
  const subject = {
    ...MERCHANT,
    day: DAY,
    appIds: new Set([MERCHANT.providerAppId]),
    refunds: true,
    isBilled: () => true,
  };
  const { payments, differences } = await compareBill(subject, { lines: [...billOfDay(), ...refundsOfDay()] });
  if (payments !== 1_000 || differences.length > 0) throw new Error('the day does not agree with its bill');
}

async function audit(since: string | null): Promise<void> {
  const { findings, entries } = await auditLedger(since);
  if (findings.length > 0 || entries === 0) throw new Error(`the audit found ${JSON.stringify(findings.slice(0, 3))}`);
}

async function report(made: Promise<{ units: unknown[]; broken: string[]; uncovered: unknown[] }>): Promise<void> {
  const { units, broken, uncovered } = await made;
  if (units.length === 0 || broken.length + uncovered.length > 0) throw new Error('a report does not agree');
}

async function exportDay(day: string): Promise<void> {
  let rows = 0;
  for await (const page of exportBooks(chinaDay(day))) rows += page.length;
  if (rows === 0) throw new Error('an export has no rows');
}
