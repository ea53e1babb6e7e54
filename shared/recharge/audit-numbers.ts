import { query, type Row, type SqlValue, sqlTime } from '../db.ts';
import type { Finding } from './audit-checks.ts';
import { walletName } from './numbers.ts';

/**
 * I9: a number is derived from its wallet, so a row in another wallet was changed by hand. For each user the lowest and
 * the highest wallet in the numbers are read: if both are the user's own, so are all. Users who were merged, one after
 * the other, have numbers of each other in their wallets.
 */
interface Numbered {
  what: string;
  table: string;
  number: string;
  /** Which rows have a number, and when they changed. */
  where: string;
  changedAt: string;
}

const NUMBERED: readonly Numbered[] = [
  {
    what: 'an order does not belong to the wallet in its number',
    table: 'recharge_orders',
    number: 'order_no',
    where: 'TRUE',
    changedAt: 'updated_at',
  },
  {
    what: 'an entry is not in the wallet of its number',
    table: 'ledger_entries',
    number: 'ref',
    where: "seq > 0 AND kind NOT IN ('merge_out', 'merge_in')",
    changedAt: 'created_at',
  },
];

const PAGE = 20_000;

export async function misplacedNumbers(since: string | null): Promise<Finding[]> {
  const findings: Finding[] = [];
  for (const numbered of NUMBERED) {
    for await (const rows of since === null ? allUsers(numbered) : changedUsers(numbered, since)) {
      for (const row of rows) if (!isOwn(row)) findings.push(...(await misplacedOf(numbered, row)));
    }
  }
  return findings;
}

const wallet = ({ number }: Numbered): string => `SUBSTRING(${number}, 2, 16)`;
const ends = (numbered: Numbered): string => `MIN(${wallet(numbered)}) AS lowest, MAX(${wallet(numbered)}) AS highest`;

function isOwn({ app_id: appId, user_id: userId, lowest, highest }: Row): boolean {
  const own = walletName(String(appId), String(userId));
  return lowest === own && highest === own;
}

/** In the order of an index that begins with app and user. */
async function* allUsers(numbered: Numbered): AsyncGenerator<Row[]> {
  const { table, where } = numbered;
  for (const { app_id: appId } of await query(`SELECT DISTINCT app_id FROM ${table}`)) {
    for (let after: SqlValue = ''; ; ) {
      const rows: Row[] = await query(
        `SELECT app_id, user_id, ${ends(numbered)} FROM ${table}
          WHERE app_id = ? AND user_id > ? AND ${where} GROUP BY app_id, user_id ORDER BY user_id LIMIT ${PAGE}`,
        [String(appId), after],
      );
      yield rows;
      if (rows.length < PAGE) break;
      after = String(rows.at(-1)?.user_id);
    }
  }
}

async function* changedUsers(numbered: Numbered, since: string): AsyncGenerator<Row[]> {
  const { table, where, changedAt } = numbered;
  const rows = await query(
    `SELECT app_id, user_id, ${ends(numbered)} FROM ${table} WHERE ${changedAt} >= ? AND ${where}
      GROUP BY app_id, user_id LIMIT ${PAGE}`,
    [sqlTime(since)],
  );
  if (rows.length < PAGE) yield rows;
  else yield* allUsers(numbered);
}

async function misplacedOf(numbered: Numbered, { app_id: appId, user_id: userId }: Row): Promise<Finding[]> {
  const { what, table, number, where } = numbered;
  const merged = await query(
    `SELECT g.user_id FROM users u JOIN users g
        ON g.user_id = COALESCE(u.merged_into, u.user_id) OR g.merged_into = COALESCE(u.merged_into, u.user_id)
      WHERE u.user_id = ?`,
    [userId as SqlValue],
  );
  const own = [{ user_id: userId }, ...merged].map((row) => walletName(String(appId), String(row.user_id)));
  const rows = await query(
    `SELECT ${number} AS subject FROM ${table} WHERE app_id = ? AND user_id = ? AND ${where}
        AND ${wallet(numbered)} NOT IN (${own.map(() => '?').join(', ')}) LIMIT 100`,
    [appId as SqlValue, userId as SqlValue, ...own],
  );
  return rows.map(({ subject }) => ({ invariant: 'I9', what, subject: String(subject) }));
}
