import { query, sqlTime } from '../../db.ts';
import type { Period } from './china-day.ts';

/** A table that is read in slices, over its index of times. */
interface Sliced {
  table: 'ledger_entries' | 'recharge_orders';
  time: 'created_at' | 'updated_at';
  /** Rows for one statement: a statement must end in time, and a period may have any number of rows. */
  rows: number;
}

export const ENTRIES: Sliced = { table: 'ledger_entries', time: 'created_at', rows: 50_000 };
/** They are far from each other in the table, so fewer of them are read in the same time. */
export const CHANGED_ORDERS: Sliced = { table: 'recharge_orders', time: 'updated_at', rows: 5_000 };

/**
 * Parts of a period, in order, each with about as many rows as a statement may read. The last row of a part is found in
 * the index alone.
 */
export async function* slicesOf({ table, time, rows }: Sliced, from: string, to: string): AsyncGenerator<Period> {
  for (let begin = from; begin < to; ) {
    const [row] = await query(
      `SELECT ${time} AS last FROM ${table} WHERE ${time} >= ? AND ${time} < ? ORDER BY ${time} LIMIT 1 OFFSET ${rows}`,
      [sqlTime(begin), sqlTime(to)],
    );
    // All rows of one moment are in one part.
    const end = row === undefined ? to : new Date(Date.parse(String(row.last)) + 1).toISOString();
    yield { from: begin, to: end };
    begin = end;
  }
}
