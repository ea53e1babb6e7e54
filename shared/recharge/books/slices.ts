import { query, sqlTime } from '../../db.ts';
import type { Period } from './china-day.ts';

/** Entries for one statement: a statement must end in time, and a period may have any number of entries. */
const ENTRIES = 50_000;

/**
 * Parts of a period, in order, each with about as many entries as a statement may read. The last entry of a part is
 * found in the index alone.
 */
export async function* slicesOf(from: string, to: string, entries = ENTRIES): AsyncGenerator<Period> {
  for (let begin = from; begin < to; ) {
    const [row] = await query(
      `SELECT created_at FROM ledger_entries WHERE created_at >= ? AND created_at < ?
        ORDER BY created_at LIMIT 1 OFFSET ${entries}`,
      [sqlTime(begin), sqlTime(to)],
    );
    // All entries of one moment are in one part.
    const end = row === undefined ? to : new Date(Date.parse(String(row.created_at)) + 1).toISOString();
    yield { from: begin, to: end };
    begin = end;
  }
}
