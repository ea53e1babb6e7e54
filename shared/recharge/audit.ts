import { query, type Row, sqlTime, writeRepeatably } from '../db.ts';
import { type Fragment, sql } from '../sql-fragment.ts';
import { CHECKS, type Check, type Finding } from './audit-checks.ts';
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

/** A condition for the rows that changed since a time. */
type Changed = (column: string) => Fragment;

/** At most this many findings of one check are listed. */
const LISTED = 100;

/**
 * Checks the invariants of docs/recharge.md. Reads only, from the primary. `since`: only rows that changed from this
 * time on, and the end of every wallet.
 */
export async function auditLedger(since: string | null = null): Promise<Audit> {
  const changed: Changed = (column) =>
    since === null ? sql`` : sql`AND ${{ text: column, values: [] }} >= ${sqlTime(since)}`;
  const works = [
    () => misplacedNumbers(since),
    () => lotFindings(since),
    ...CHECKS.map((check) => () => violations(check, changed)),
  ];
  const findings = (await inParallel(works)).flat();
  return { since, ...(await countRows(changed)), findings };
}

/** MySQL runs a statement on one core, and the checks do not depend on each other. */
const AT_ONCE = 2;

async function inParallel<T>(works: ReadonlyArray<() => Promise<T>>): Promise<T[]> {
  const results: T[] = [];
  const left = works.entries();
  const worker = async (): Promise<void> => {
    for (const [index, work] of left) results[index] = await work();
  };
  await Promise.all(Array.from({ length: AT_ONCE }, worker));
  return results;
}

async function violations({ invariant, what, select }: Check, changed: Changed): Promise<Finding[]> {
  const { text, values } = select(changed);
  const rows = await query(`${text} LIMIT ${LISTED}`, values);
  return rows.map(({ subject }) => ({ invariant, what, subject: String(subject) }));
}

async function countRows(changed: Changed) {
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
