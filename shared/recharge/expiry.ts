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

/** Up to `limit` entries, the ones that ended first. Those that `attempt` could not end are met again in the next run. */
export async function expireDue(
  limit: number,
  attempt: (work: () => Promise<void>) => Promise<boolean>,
): Promise<number> {
  const [mark] = await query('SELECT done_until FROM ledger_marks WHERE name = ?', [MARK]);
  const from = mark === undefined ? LONG_AGO : sqlTime(String(mark.done_until));
  const rows = await query(
    `SELECT ${ENTRY_COLUMNS}, e.asset FROM ledger_entries e
       LEFT JOIN ledger_entries z ON z.kind = IF(e.kind = 'hold', 'hold_end', 'expiry') AND z.ref = e.ref
      WHERE e.expires_at > ? AND e.expires_at <= NOW(3) AND e.kind IN ('hold', 'grant', 'merge_in') AND z.seq IS NULL
      ORDER BY e.expires_at LIMIT ${limit}`,
    [from],
  );
  const due = rows.map((row): Ended => ({ ...entryFromRow(row), asset: String(row.asset) }));
  let failedAt: string | undefined;
  let ended = 0;
  for (const entry of due) {
    const done = await attempt(() => (entry.kind === 'hold' ? expireHold(entry) : expireLot(entry)));
    if (done) ended++;
    else failedAt ??= entry.expiresAt ?? undefined;
  }
  if (due.length < limit) await moveMark(failedAt);
  return ended;
}

/** Never back, and never past `before`. */
const moveMark = (before: string | undefined) =>
  writeRepeatably(
    `INSERT INTO ledger_marks (name, done_until)
     VALUES (?, GREATEST('${LONG_AGO}', LEAST(NOW(3) - ${MARGIN}, ? - INTERVAL 1 SECOND)))
     ON DUPLICATE KEY UPDATE done_until = GREATEST(done_until, VALUES(done_until))`,
    [MARK, before === undefined ? '2037-01-01 00:00:00' : sqlTime(before)],
  );
