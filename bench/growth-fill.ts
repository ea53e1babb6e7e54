import { createHash } from 'node:crypto';
import type { Connection } from 'mysql2/promise';
import { sqlTime } from '../shared/db.ts';
import { chainOf } from '../shared/recharge/append.ts';
import type { PaymentLine, RefundLine } from '../shared/recharge/books/bill.ts';
import { chinaDay } from '../shared/recharge/books/china-day.ts';
import { walletName } from '../shared/recharge/numbers.ts';

/**
 * Tables of money as a deployment has them after a year: each wallet has five entries and a head with the right chain,
 * so that an audit finds nothing. The entries are made level by level: number 1 of all wallets, then number 2, ...
 */
export const APP = 'growth';
export const MERCHANT = { provider: 'wechatpay', providerAppId: 'wxgrowth', merchantId: '1900000001' };
const ENTRIES_OF_WALLET = 5;
/** Wallets that paid on the day that is compared, twice each. */
const OF_THE_DAY = 500;
const DAYS = 360;
const INSERTED_AT_ONCE = 2_000;

interface Level {
  seq: number;
  kind: 'recharge' | 'spend' | 'refund';
  delta: number;
  balance: number;
  /** Which wallets have this entry. */
  where: string;
}

const LEVELS: readonly Level[] = [
  { seq: 1, kind: 'recharge', delta: 60, balance: 60, where: 'TRUE' },
  { seq: 2, kind: 'spend', delta: -10, balance: 50, where: 'TRUE' },
  { seq: 3, kind: 'recharge', delta: 60, balance: 110, where: 'TRUE' },
  { seq: 4, kind: 'spend', delta: -10, balance: 100, where: 'TRUE' },
  { seq: 5, kind: 'spend', delta: -10, balance: 90, where: 'w.n MOD 20 <> 0' },
  { seq: 5, kind: 'refund', delta: -10, balance: 90, where: 'w.n MOD 20 = 0' },
];

const LETTER = { recharge: 'R', spend: 'S', refund: 'F', due: 'R' } as const;
const numberOf = (kind: keyof typeof LETTER, seq: number): string =>
  `CONCAT('${LETTER[kind]}', w.name, LPAD('${seq}', 15, 'A'))`;
const PAID_ORDERS = [1, 3] as const;
const DUE_ORDER = 9;

/** The user id does not follow the time, so rows that are close in time are far from each other in the table. */
export const userOf = (n: number): string => createHash('sha256').update(`growth ${n}`).digest('hex').slice(0, 22);

interface Size {
  /** Entries of the ledger, without heads. */
  entries: number;
  wallets: number;
  due: number;
}
export const sizeOf = (entries: number): Size => {
  const wallets = entries / ENTRIES_OF_WALLET;
  return { entries, wallets, due: wallets };
};

export async function prepareFill(mysql: Connection): Promise<void> {
  await mysql.query(
    `CREATE TABLE fill_wallets (n INT PRIMARY KEY, user_id VARCHAR(32) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
       name CHAR(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL, begun_at DATETIME(3) NOT NULL)`,
  );
}

/** Adds wallets until there are as many as `to` says. Nothing of the day is added after the first call. */
export async function fillTables(mysql: Connection, from: number, to: Size, day: string, say: (what: string) => void) {
  const dayBegins = Date.parse(chinaDay(day).from);
  await fillWallets(mysql, from, to.wallets, dayBegins);
  const added = `w.n >= ${from} AND w.n < ${to.wallets}`;
  await mysql.query(
    `INSERT INTO users (user_id, profile, created_at, updated_at)
     SELECT w.user_id, '{}', w.begun_at, w.begun_at FROM fill_wallets w WHERE ${added}`,
  );
  say(`${to.wallets} users`);
  for (const seq of PAID_ORDERS) await fillPaidOrders(mysql, seq, added);
  await fillDueOrders(mysql, added);
  await fillRefunds(mysql, added);
  say('orders and refunds');
  for (const level of LEVELS) {
    await fillLevel(mysql, level, `${added} AND ${level.where}`);
    say(`entries of number ${level.seq} (${level.kind})`);
  }
  await fillHeads(mysql, added);
  await mysql.query('ANALYZE TABLE users, recharge_orders, ledger_entries, refunds');
  say('heads');
}

async function fillWallets(mysql: Connection, from: number, until: number, dayBegins: number): Promise<void> {
  for (let at = from; at < until; at += INSERTED_AT_ONCE) {
    const rows = Array.from({ length: Math.min(INSERTED_AT_ONCE, until - at) }, (_, i) => {
      const n = at + i;
      const user = userOf(n);
      return [n, user, walletName(APP, user), sqlTime(beginOf(n, dayBegins))];
    });
    await mysql.query('INSERT INTO fill_wallets (n, user_id, name, begun_at) VALUES ?', [rows]);
  }
}

/** The wallets of the day begin in its morning; all others on one of the days before it. */
function beginOf(n: number, dayBegins: number): number {
  if (n < OF_THE_DAY) return dayBegins + 6 * 3_600_000 + n * 10_000;
  const days = 2 + (Number.parseInt(userOf(n).slice(0, 8), 16) / 2 ** 32) * DAYS;
  return dayBegins - Math.floor(days * 24 * 3_600_000);
}

const atOf = (seq: number): string => `w.begun_at + INTERVAL ${seq} MINUTE`;

const ORDER_COLUMNS = `order_no, app_id, user_id, asset, request_hash, product_id, provider, provider_app_id, merchant_id,
  amount_fen, currency, units, status, refunded_fen, transaction_id, next_check_at, expires_at, paid_at, created_at, updated_at`;

const fillPaidOrders = (mysql: Connection, seq: number, added: string) => {
  const isRefunded = seq === 3 ? 'w.n MOD 20 = 0' : 'FALSE';
  return mysql.query(
    `INSERT INTO recharge_orders (${ORDER_COLUMNS})
     SELECT ${numberOf('recharge', seq)}, '${APP}', w.user_id, 'coin', '', 'p', '${MERCHANT.provider}',
            '${MERCHANT.providerAppId}', '${MERCHANT.merchantId}', 600, 'CNY', 60,
            IF(${isRefunded}, 'partial_refund', 'paid'), IF(${isRefunded}, 100, 0),
            CONCAT('t', ${numberOf('recharge', seq)}), NULL, ${atOf(seq + 30)}, ${atOf(seq)}, ${atOf(seq)}, ${atOf(seq)}
       FROM fill_wallets w WHERE ${added}`,
  );
};

/** Nobody has paid them. They were due three days ago, and can still be paid, so each sweep asks for them. */
const fillDueOrders = (mysql: Connection, added: string) =>
  mysql.query(
    `INSERT INTO recharge_orders (${ORDER_COLUMNS})
     SELECT ${numberOf('due', DUE_ORDER)}, '${APP}', w.user_id, 'coin', '', 'p', 'sandbox', '', '', 600, 'CNY', 60, 'pending',
            0, NULL, NOW(3) - INTERVAL 3 DAY - INTERVAL w.n SECOND, NOW(3) + INTERVAL 1 DAY, NULL,
            NOW(3) - INTERVAL 3 DAY, NOW(3) - INTERVAL 3 DAY FROM fill_wallets w WHERE ${added}`,
  );

const fillRefunds = (mysql: Connection, added: string) =>
  mysql.query(
    `INSERT INTO refunds (refund_no, order_no, amount_fen, units, status, provider_at, created_at, updated_at)
     SELECT ${numberOf('refund', 5)}, ${numberOf('recharge', 3)}, 100, 10, 'success', ${atOf(5)}, ${atOf(5)}, ${atOf(5)}
       FROM fill_wallets w WHERE ${added} AND w.n MOD 20 = 0`,
  );

const fillLevel = (mysql: Connection, { seq, kind, delta, balance }: Level, where: string) =>
  mysql.query(
    `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, held_delta, held_after, kind, ref,
       contra, ext_ref, created_at, chain_hash)
     SELECT n.app_id, n.user_id, n.asset, n.seq, n.delta, n.balance_after, 0, 0, n.kind, n.ref, n.contra, n.ext_ref,
            n.created_at, ${chainOf('n', 'n.hash_before').text}
       FROM (SELECT '${APP}' AS app_id, w.user_id, 'coin' AS asset, ${seq} AS seq, ${delta} AS delta,
                    ${balance} AS balance_after, 0 AS held_delta, 0 AS held_after, '${kind}' AS kind,
                    ${numberOf(kind, seq)} AS ref, '${kind === 'spend' ? 'shop:spent' : `${MERCHANT.provider}:clearing`}' AS contra,
                    ${kind === 'recharge' ? `CONCAT('${MERCHANT.provider}:t', ${numberOf(kind, seq)})` : 'NULL'} AS ext_ref,
                    NULL AS reason, NULL AS request_hash, NULL AS expires_at, ${atOf(seq)} AS created_at,
                    p.chain_hash AS hash_before
               FROM fill_wallets w
               LEFT JOIN ledger_entries p ON p.app_id = '${APP}' AND p.user_id = w.user_id AND p.asset = 'coin'
                AND p.seq = ${seq - 1} AND p.seq > 0
              WHERE ${where}) n`,
  );

const fillHeads = (mysql: Connection, added: string) =>
  mysql.query(
    `INSERT INTO ledger_entries (app_id, user_id, asset, seq, delta, balance_after, held_after, kind, ref, contra,
       created_at, chain_hash, last_seq)
     SELECT l.app_id, l.user_id, l.asset, 0, 0, l.balance_after, l.held_after, 'head',
            SHA2(CONCAT_WS('/', l.app_id, l.user_id, l.asset), 256), '', l.created_at, l.chain_hash, l.seq
       FROM fill_wallets w JOIN ledger_entries l ON l.app_id = '${APP}' AND l.user_id = w.user_id AND l.asset = 'coin'
        AND l.seq = ${ENTRIES_OF_WALLET} WHERE ${added}`,
  );

/** The payments of the day, as the bill of the provider has them. */
export const billOfDay = (): PaymentLine[] =>
  Array.from({ length: OF_THE_DAY }, (_, n) => walletName(APP, userOf(n))).flatMap((name) =>
    PAID_ORDERS.map((seq) => {
      const orderNo = `R${name}${String(seq).padStart(15, 'A')}`;
      return {
        ...{ kind: 'payment' as const, line: 0, appId: MERCHANT.providerAppId, orderNo },
        ...{ transactionId: `t${orderNo}`, amountFen: 600 },
      };
    }),
  );

export const refundsOfDay = (): RefundLine[] =>
  Array.from({ length: OF_THE_DAY / 20 }, (_, i) => walletName(APP, userOf(20 * i))).map((name) => ({
    ...{ kind: 'refund' as const, line: 0, appId: MERCHANT.providerAppId, amountFen: 100, isPaid: true },
    ...{ orderNo: `R${name}${'3'.padStart(15, 'A')}`, transactionId: `tR${name}${'3'.padStart(15, 'A')}` },
    ...{ refundNo: `F${name}${'5'.padStart(15, 'A')}`, refundId: '' },
  }));
