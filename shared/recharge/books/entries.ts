import { query, sqlTime } from '../../db.ts';

/** Rows for one statement. */
const PAGE = 5_000;

interface BookedEntry {
  appId: string;
  userId: string;
  asset: string;
  seq: number;
  delta: number;
  balanceAfter: number;
  kind: string;
  ref: string;
  reason: string | null;
  createdAt: string;
}

/** Pages of the ledger's entries of all wallets, in the order of an index. `to`: undefined: up to now. */
export async function* entriesBooked({ from, to }: { from: string; to?: string }): AsyncGenerator<BookedEntry[]> {
  let after: [time: string, app: string, user: string, asset: string, seq: number] = [sqlTime(from), '', '', '', 0];
  for (;;) {
    const [time, app, user, asset, seq] = after;
    const rows = await query(
      `SELECT app_id, user_id, asset, seq, delta, balance_after, kind, ref, reason, created_at FROM ledger_entries
        WHERE created_at >= ? ${to === undefined ? '' : 'AND created_at < ?'}
          AND (created_at > ? OR (app_id, user_id, asset, seq) > (?, ?, ?, ?)) AND seq > 0
        ORDER BY created_at, app_id, user_id, asset, seq LIMIT ${PAGE}`,
      [time, ...(to === undefined ? [] : [sqlTime(to)]), time, app, user, asset, seq],
    );
    const entries = rows.map((row) => ({
      appId: String(row.app_id),
      userId: String(row.user_id),
      asset: String(row.asset),
      seq: Number(row.seq),
      delta: Number(row.delta),
      balanceAfter: Number(row.balance_after),
      kind: String(row.kind),
      ref: String(row.ref),
      reason: row.reason as string | null,
      createdAt: String(row.created_at),
    }));
    yield entries;
    const last = entries.at(-1);
    if (entries.length < PAGE || !last) return;
    after = [sqlTime(last.createdAt), last.appId, last.userId, last.asset, last.seq];
  }
}
