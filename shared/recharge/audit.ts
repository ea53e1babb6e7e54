import { query, type Row, sqlTime, writeRepeatably } from '../db.ts';
import { type Fragment, sql } from '../sql-fragment.ts';
import { CHECKS, type Finding } from './audit-checks.ts';
import { lotFindings } from './audit-lots.ts';
import { misplacedNumbers } from './audit-numbers.ts';

export interface Audit {
  /** Everything that changed from this time on was checked; null: everything. RFC 3339. */
  since: string | null;
  orders: number;
  entries: number;
  refunds: number;
  findings: Finding[];
}

/** At most this many findings of one check are listed. */
const LISTED = 100;

/**
 * Checks the invariants of docs/recharge.md. Reads only, from the primary. `since`: only rows that changed from this
 * time on, and the end of every wallet.
 */
export async function auditLedger(since: string | null = null): Promise<Audit> {
  const findings: Finding[] = [];
  const changed = (column: string): Fragment =>
    since === null ? sql`` : sql`AND ${{ text: column, values: [] }} >= ${sqlTime(since)}`;
  for (const { invariant, what, select } of CHECKS) {
    const { text, values } = select(changed);
    for (const row of await query(`${text} LIMIT ${LISTED}`, values)) {
      findings.push({ invariant, what, subject: String(row.subject) });
    }
  }
  findings.push(...(await misplacedNumbers(since)), ...(await lotFindings(since)));
  return { since, ...(await countRows(changed)), findings };
}

async function countRows(changed: (column: string) => Fragment) {
  const { text, values } = sql`SELECT
    (SELECT COUNT(*) FROM recharge_orders o WHERE TRUE ${changed('o.updated_at')}) AS orders,
    (SELECT COUNT(*) FROM ledger_entries e WHERE e.seq > 0 ${changed('e.created_at')}) AS entries,
    (SELECT COUNT(*) FROM refunds r WHERE TRUE ${changed('r.updated_at')}) AS refunds`;
  const [counts] = await query(text, values);
  const { orders, entries, refunds } = counts as Row;
  return { orders: Number(orders), entries: Number(entries), refunds: Number(refunds) };
}

const MARK = 'audit';
/** Statements that ran while the last audit began may have been committed after it. */
const OVERLAP = 'INTERVAL 1 HOUR';

/** From when on the next audit has to check. null: no audit has agreed yet. */
export async function auditedUntil(): Promise<string | null> {
  const [row] = await query(`SELECT done_until - ${OVERLAP} AS since FROM ledger_marks WHERE name = ?`, [MARK]);
  return row === undefined ? null : String(row.since);
}

/** By the clock of MySQL. Take it before an audit, and mark it after an audit that found nothing. */
export async function databaseTime(): Promise<string> {
  const [row] = await query('SELECT NOW(3) AS now');
  return String(row?.now);
}

export async function markAudited(begunAt: string): Promise<void> {
  await writeRepeatably(
    'INSERT INTO ledger_marks (name, done_until) VALUES (?, ?) ON DUPLICATE KEY UPDATE done_until = VALUES(done_until)',
    [MARK, sqlTime(begunAt)],
  );
}
