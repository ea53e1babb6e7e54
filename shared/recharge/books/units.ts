import { query, type Row, sqlTime } from '../../db.ts';
import { type Fragment, sql } from '../../sql-fragment.ts';
import { CONTRA, type EntryKind } from '../entry.ts';
import type { Period } from './china-day.ts';
import { ENTRIES, slicesOf } from './slices.ts';

/** What users of an app have of an asset: the units that the deployment owes them, and how they changed. */
export interface UnitSums {
  appId: string;
  asset: string;
  /** Before the period. */
  begin: number;
  credited: number;
  spent: number;
  granted: number;
  refunded: number;
  expired: number;
  /** Corrections, and what moved between wallets. */
  other: number;
  /** begin + all of the above: the units outstanding at the end of the period. */
  end: number;
}

type Movement = Exclude<keyof UnitSums, 'appId' | 'asset' | 'begin' | 'end'>;

/** A hold that ends moves units only when it is captured. A merge moves units from one user to another. */
const MOVEMENTS: Record<EntryKind, Movement> = {
  recharge: 'credited',
  spend: 'spent',
  hold: 'other',
  hold_end: 'spent',
  grant: 'granted',
  refund: 'refunded',
  refund_reversal: 'refunded',
  expiry: 'expired',
  adjust: 'other',
  merge_out: 'other',
  merge_in: 'other',
};

/**
 * The sums of a period, and the wallets whose entries do not lead to their balance. The heads of the wallets give the
 * units of now, and what moved since the period began is subtracted, so the time follows the age of the period. MySQL
 * adds up. Entries that are old enough are read in slices; the newest are read together with the heads, in one
 * statement, so that both are of one moment.
 */
export async function sumUnits(period: Period): Promise<{ units: UnitSums[]; broken: string[] }> {
  const sums = new Sums();
  const broken = new Set<string>();
  const settled = await settledTime();
  const read = async (statement: Fragment, from: string, to?: string): Promise<void> => {
    const rows = await query(statement.text, statement.values);
    for (const row of rows) sums.add(row);
    if (rows.some((row) => Number(row.broken) > 0))
      for (const wallet of await brokenWallets(from, to)) broken.add(wallet);
  };
  for (const part of [
    { from: period.from, to: earlier(period.to, settled) },
    { from: period.to, to: settled },
  ])
    for await (const { from, to } of slicesOf(ENTRIES, part.from, part.to))
      await read(movedIn(period, from, to), from, to);
  const newest = period.from > settled ? period.from : settled;
  await read(sql`${UNITS_NOW} UNION ALL ${movedIn(period, newest)}`, newest);
  return { units: sums.list(), broken: [...broken] };
}

const earlier = (a: string, b: string): string => (a < b ? a : b);

/** Before this time no entry is added any more: a statement that began then has ended. */
async function settledTime(): Promise<string> {
  const [row] = await query('SELECT NOW(3) - INTERVAL 1 HOUR AS settled');
  return String(row?.settled);
}

const UNITS_NOW = sql`SELECT h.app_id, h.asset, 'head' AS moved, 0 AS is_later, SUM(h.balance_after) AS units, 0 AS broken
    FROM ledger_entries h WHERE h.kind = 'head' GROUP BY h.app_id, h.asset`;

const within = (from: string, to?: string): Fragment =>
  sql`e.created_at >= ${sqlTime(from)} ${to === undefined ? sql`` : sql`AND e.created_at < ${sqlTime(to)}`} AND e.seq > 0`;

/** What a hold gives back to a user who was erased is taken at once, and not spent. */
const MOVED = sql`IF(e.contra = ${CONTRA.forfeited}, 'adjust', e.kind)`;

const movedIn = (period: Period, from: string, to?: string): Fragment =>
  sql`SELECT e.app_id, e.asset, ${MOVED} AS moved, e.created_at >= ${sqlTime(period.to)} AS is_later, SUM(e.delta) AS units,
             SUM(${IS_BROKEN}) AS broken
        FROM ${WITH_NEIGHBOURS} WHERE ${within(from, to)} GROUP BY e.app_id, e.asset, moved, is_later`;

/** The entry before an entry, the one after it, and the head of its wallet: all beside it in the table. */
const WITH_NEIGHBOURS = sql`ledger_entries e
   LEFT JOIN ledger_entries p ON p.app_id = e.app_id AND p.user_id = e.user_id AND p.asset = e.asset
    AND p.seq = e.seq - 1 AND p.seq > 0
   LEFT JOIN ledger_entries x ON x.app_id = e.app_id AND x.user_id = e.user_id AND x.asset = e.asset AND x.seq = e.seq + 1
   LEFT JOIN ledger_entries h ON h.app_id = e.app_id AND h.user_id = e.user_id AND h.asset = e.asset AND h.seq = 0`;

/** The balance is not the former one plus the change, an entry before it is missing, or the wallet ends elsewhere. */
const IS_BROKEN = sql`(e.balance_after <> COALESCE(p.balance_after, 0) + e.delta OR (e.seq > 1 AND p.seq IS NULL)
   OR (x.seq IS NULL AND NOT COALESCE(h.last_seq = e.seq AND h.balance_after = e.balance_after, FALSE)))`;

async function brokenWallets(from: string, to?: string): Promise<string[]> {
  const { text, values } = sql`SELECT DISTINCT e.app_id, e.user_id, e.asset FROM ${WITH_NEIGHBOURS}
    WHERE ${within(from, to)} AND ${IS_BROKEN}`;
  return (await query(text, values)).map(({ app_id, user_id, asset }) => `${app_id}/${user_id}/${asset}`);
}

class Sums {
  readonly #sums = new Map<string, UnitSums>();
  add(row: Row): void {
    const sums = this.#of(String(row.app_id), String(row.asset));
    const units = Number(row.units);
    if (row.moved === 'head') {
      sums.begin += units;
      sums.end += units;
      return;
    }
    sums.begin -= units;
    if (Number(row.is_later) === 1) sums.end -= units;
    else sums[MOVEMENTS[row.moved as EntryKind] ?? 'other'] += units;
  }
  #of(appId: string, asset: string): UnitSums {
    const key = `${appId}/${asset}`;
    const none = { credited: 0, spent: 0, granted: 0, refunded: 0, expired: 0, other: 0 };
    const known = this.#sums.get(key) ?? { appId, asset, begin: 0, ...none, end: 0 };
    this.#sums.set(key, known);
    return known;
  }
  list(): UnitSums[] {
    return [...this.#sums.values()].sort((a, b) => `${a.appId}/${a.asset}`.localeCompare(`${b.appId}/${b.asset}`));
  }
}
