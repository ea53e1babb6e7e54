import { repeatOnContention } from '../contention.ts';
import { query, type Row, type SqlValue, type Written, writeRepeatably } from '../db.ts';
import { ContentionError, ER_DUP_ENTRY, SqlError } from '../errors.ts';
import { alarm } from '../telemetry.ts';
import { type Page, pageOf, readCursor } from './page.ts';

/**
 * The ledger is append-only. `seq` has no gaps, and the balance is `balance_after` of the last entry. A credit, a spend
 * and a refund are one autocommit INSERT ... SELECT each, with its conditions inside. A statement that is repeated,
 * late, or sent again after a lost answer cannot change the sum: the unique keys (kind, ref) and ext_ref refuse it.
 */
type EntryKind = 'recharge' | 'spend' | 'refund' | 'refund_reversal' | 'grant' | 'adjust';

interface Entry {
  seq: number;
  delta: number;
  balanceAfter: number;
  kind: EntryKind;
  ref: string;
  /** `<provider>:<transaction>` of a recharge; null for all other kinds. */
  extRef: string | null;
  /** null: without a reason. */
  reason: string | null;
  /** Hash of the body of a spend; null for all other kinds. */
  requestHash: string | null;
  createdAt: string;
}

const COLUMNS = 'seq, delta, balance_after, kind, ref, ext_ref, reason, request_hash, created_at';
const entryFromRow = (row: Row): Entry => ({
  seq: Number(row.seq),
  delta: Number(row.delta),
  balanceAfter: Number(row.balance_after),
  kind: row.kind as EntryKind,
  ref: String(row.ref),
  extRef: row.ext_ref as string | null,
  reason: row.reason as string | null,
  requestHash: row.request_hash as string | null,
  createdAt: String(row.created_at),
});

/** Reads from the primary. null: there is no such entry. */
export async function findEntry(kind: EntryKind, ref: string): Promise<Entry | null> {
  const [row] = await query(`SELECT ${COLUMNS} FROM ledger_entries WHERE kind = ? AND ref = ?`, [kind, ref]);
  return row ? entryFromRow(row) : null;
}

/** The last entry, from the primary. null: the wallet is empty. */
export async function lastEntry(appId: string, userId: string, asset: string): Promise<Entry | null> {
  const [row] = await query(
    `SELECT ${COLUMNS} FROM ledger_entries WHERE app_id = ? AND user_id = ? AND asset = ? ORDER BY seq DESC LIMIT 1`,
    [appId, userId, asset],
  );
  return row ? entryFromRow(row) : null;
}

/** The `seq` after which a page begins. null: this is not a cursor of this API. */
export function readEntryCursor(cursor: string): number | null {
  const [seq] = readCursor(cursor, /^(\d{1,16})$/) ?? [];
  return seq === undefined ? null : Number(seq);
}

/** A page of the entries that users see, newest first. */
export async function listEntries(appId: string, userId: string, asset: string, { after, limit }: Page<number>) {
  const rows = await query(
    `SELECT ${COLUMNS} FROM ledger_entries WHERE app_id = ? AND user_id = ? AND asset = ?
       ${after === undefined ? '' : 'AND seq < ?'} ORDER BY seq DESC LIMIT ${limit + 1}`,
    after === undefined ? [appId, userId, asset] : [appId, userId, asset, after],
  );
  const { items, next } = pageOf(rows.map(entryFromRow), limit, ({ seq }) => String(seq));
  const entries = items.map(({ seq, kind, delta, balanceAfter, ref, reason, createdAt }) => ({
    seq,
    kind,
    delta,
    balanceAfter,
    ref,
    createdAt,
    ...(reason !== null && { reason }),
  }));
  return { entries, ...next };
}

/** Joins the last entry of a wallet under the alias `l`. The arguments are SQL expressions. */
export const joinLast = (app: string, user: string, asset: string): string =>
  `LEFT JOIN ledger_entries l ON l.app_id = ${app} AND l.user_id = ${user} AND l.asset = ${asset}
    AND l.seq = (SELECT MAX(x.seq) FROM ledger_entries x
                  WHERE x.app_id = ${app} AND x.user_id = ${user} AND x.asset = ${asset})`;

/**
 * STRAIGHT_JOIN and FOR UPDATE make all these statements take their locks in one order (order, refund, user, last
 * entry), so that they do not deadlock. An engine that refuses these words gets the plain form. It is also correct,
 * because `seq` is in the primary key, but it has to be repeated when several writers run at once.
 */
export interface Form {
  straight: 'STRAIGHT_JOIN' | '';
  forUpdate: 'FOR UPDATE' | '';
}
let locking = true;
/** For tests of the plain form. */
export function useLocking(on: boolean): void {
  locking = on;
}
export const isLocking = (): boolean => locking;

/**
 * `created`: this call appended the entry. `found`: the entry exists already, perhaps from this call, whose answer was
 * lost; `agrees`: the conditions of this statement held. `refused`: they did not hold. `foreign`: another entry already
 * has this transaction of the provider.
 */
type Appended =
  | { outcome: 'created'; insertId: string }
  | { outcome: 'found'; entry: Entry; agrees: boolean }
  | { outcome: 'refused' }
  | { outcome: 'foreign' };

/** An event that `appendOnce` records once. */
interface LedgerEvent {
  kind: EntryKind;
  ref: string;
  /** The provider's own reference, if there is one. */
  extRef?: string;
}

const TRIES = 12;
const ER_PARSE_ERROR = 1064;
const ER_NOT_SUPPORTED_YET = 1235;

/** Runs a statement that appends at most one entry. The unique keys (kind, ref) and extRef make it happen once. */
export const appendOnce = (
  event: LedgerEvent,
  sql: (form: Form) => string,
  values: readonly SqlValue[],
): Promise<Appended> => repeatOnContention(() => append(event, sql, values), { tries: TRIES });

/** Throws ContentionError; then the same call may be repeated. */
async function append(
  { kind, ref, extRef }: LedgerEvent,
  sql: (form: Form) => string,
  values: readonly SqlValue[],
): Promise<Appended> {
  const written = await runStatement(sql, values);
  if (written?.rowsAffected === 1) return { outcome: 'created', insertId: written.insertId };
  const entry = await findEntry(kind, ref);
  if (entry) return { outcome: 'found', entry, agrees: written === null };
  if (written !== null) return { outcome: 'refused' };
  if (extRef !== undefined && (await isTaken(extRef))) return { outcome: 'foreign' };
  // In the plain form two writers may have tried to use the same seq.
  throw new ContentionError();
}

/** null: one of the unique keys is taken. */
async function runStatement(sql: (form: Form) => string, values: readonly SqlValue[]): Promise<Written | null> {
  const form: Form = locking ? { straight: 'STRAIGHT_JOIN', forUpdate: 'FOR UPDATE' } : { straight: '', forUpdate: '' };
  try {
    return await writeRepeatably(sql(form), values);
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    const { errno } = error;
    if (errno === ER_DUP_ENTRY) return null;
    if (form.straight === '' || (errno !== ER_PARSE_ERROR && errno !== ER_NOT_SUPPORTED_YET)) throw error;
    if (locking) alarm('ledger-without-locking');
    locking = false;
    return runStatement(sql, values);
  }
}

const isTaken = async (extRef: string): Promise<boolean> =>
  (await query('SELECT 1 AS taken FROM ledger_entries WHERE ext_ref = ?', [extRef])).length > 0;
