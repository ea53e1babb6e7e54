import { query, sqlTime, writeRepeatably } from '../db.ts';
import { ENTRY_COLUMNS, type Entry, entryFromRow } from './entry.ts';
import { expireHold } from './hold.ts';
import { expireLot } from './lots.ts';

/**
 * Ends the holds and the lots whose time is over. All entries with an end before the mark are done, so that the search
 * does not grow with the ledger. The mark stays before an entry that failed, and behind statements that are still on
 * their way: an entry that was written for one second may be committed later than that.
 */
const MARK = 'expiry';
const MARGIN = 'INTERVAL 15 MINUTE';
const LONG_AGO = '1970-01-02 00:00:00';

type Ended = Entry & { asset: string };

const PAGE = 50;

/** The ones that ended first come first. Those that `attempt` could not end stay, and are met again in the next run. */
export async function expireDue(
  inTime: () => boolean,
  attempt: (work: () => Promise<void>) => Promise<boolean>,
): Promise<number> {
  const [mark] = await query('SELECT done_until FROM ledger_marks WHERE name = ?', [MARK]);
  const from = mark === undefined ? LONG_AGO : sqlTime(String(mark.done_until));
  let [ended, failed] = [0, 0];
  let failedAt: string | undefined;
  while (inTime()) {
    const due = await dueEnds(from, failed);
    for (const entry of due) {
      const done = await attempt(() => (entry.kind === 'hold' ? expireHold(entry) : expireLot(entry)));
      if (done) ended++;
      else {
        failed++;
        failedAt ??= entry.expiresAt ?? undefined;
      }
    }
    if (due.length < PAGE) {
      await moveMark(failedAt);
      break;
    }
  }
  return ended;
}

/** `skipped`: what failed in this run still comes first. */
async function dueEnds(from: string, skipped: number): Promise<Ended[]> {
  const rows = await query(
    `SELECT ${ENTRY_COLUMNS}, e.asset FROM ledger_entries e
       LEFT JOIN ledger_entries z ON z.kind = IF(e.kind = 'hold', 'hold_end', 'expiry') AND z.ref = e.ref
      WHERE e.expires_at > ? AND e.expires_at <= NOW(3) AND e.kind IN ('hold', 'grant', 'merge_in') AND z.seq IS NULL
      ORDER BY e.expires_at LIMIT ${PAGE} OFFSET ${skipped}`,
    [from],
  );
  return rows.map((row) => ({ ...entryFromRow(row), asset: String(row.asset) }));
}

/** Never back, and never past `before`. */
const moveMark = (before: string | undefined) =>
  writeRepeatably(
    `INSERT INTO ledger_marks (name, done_until)
     VALUES (?, GREATEST('${LONG_AGO}', LEAST(NOW(3) - ${MARGIN}, ? - INTERVAL 1 SECOND)))
     ON DUPLICATE KEY UPDATE done_until = GREATEST(done_until, VALUES(done_until))`,
    [MARK, before === undefined ? '2037-01-01 00:00:00' : sqlTime(before)],
  );
