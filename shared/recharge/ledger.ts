import { repeatOnContention } from '../contention.ts';
import { query, type Row, type SqlValue, type Written, writeRepeatably } from '../db.ts';
import { ContentionError, ER_DUP_ENTRY, SqlError } from '../errors.ts';
import { alarm } from '../telemetry.ts';
import { type Page, pageOf, readCursor } from './page.ts';

/**
 * The ledger: append-only, `seq` without gaps, the balance is `balance_after` of the last entry. A credit, a spend and
 * a refund are one autocommit INSERT ... SELECT each, with its guards inside: what comes twice, out of order, or again
 * after a lost answer cannot change the sum. The unique keys (kind, ref) and ext_ref say what has happened already.
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
  /** null: none was given. */
  reason: string | null;
  /** Of a spend's body; null for all other kinds. */
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

/** From the primary; null: it has not happened. */
export async function findEntry(kind: EntryKind, ref: string): Promise<Entry | null> {
  const [row] = await query(`SELECT ${COLUMNS} FROM ledger_entries WHERE kind = ? AND ref = ?`, [kind, ref]);
  return row ? entryFromRow(row) : null;
}

/** The last entry; null: an empty wallet. From the primary. */
export async function lastEntry(appId: string, userId: string, asset: string): Promise<Entry | null> {
  const [row] = await query(
    `SELECT ${COLUMNS} FROM ledger_entries WHERE app_id = ? AND user_id = ? AND asset = ? ORDER BY seq DESC LIMIT 1`,
    [appId, userId, asset],
  );
  return row ? entryFromRow(row) : null;
}

/** The `seq` that a page comes after. null: not a cursor that we gave out. */
export function readEntryCursor(cursor: string): number | null {
  const [seq] = readCursor(cursor, /^(\d{1,16})$/) ?? [];
  return seq === undefined ? null : Number(seq);
}

/** Newest first, as users see them. */
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

/** The last entry of the wallet whose parts these SQL expressions give; `l` in what follows. */
export const joinLast = (app: string, user: string, asset: string): string =>
  `LEFT JOIN ledger_entries l ON l.app_id = ${app} AND l.user_id = ${user} AND l.asset = ${asset}
    AND l.seq = (SELECT MAX(x.seq) FROM ledger_entries x
                  WHERE x.app_id = ${app} AND x.user_id = ${user} AND x.asset = ${asset})`;

/**
 * STRAIGHT_JOIN and FOR UPDATE take the locks of all such statements in one order (order, refund, user, last entry), so
 * that none deadlocks with another. An engine that refuses them gets the plain form: as right, since `seq` is in the
 * primary key, but under contention it has to be repeated.
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
 * `created`: by this call. `found`: it was there already, or this call's own answer was lost; `agrees`: this statement's
 * guards held, too. `refused`: they let nothing through. `foreign`: the provider's transaction is another entry's.
 */
type Appended =
  | { outcome: 'created'; insertId: string }
  | { outcome: 'found'; entry: Entry; agrees: boolean }
  | { outcome: 'refused' }
  | { outcome: 'foreign' };

/** What `appendOnce` is to make happen once. */
interface LedgerEvent {
  kind: EntryKind;
  ref: string;
  /** The provider's own reference, where there is one. */
  extRef?: string;
}

const TRIES = 12;
const ER_PARSE_ERROR = 1064;
const ER_NOT_SUPPORTED_YET = 1235;

/** Runs a statement that appends at most one entry: (kind, ref), and extRef where given, are what make it happen once. */
export const appendOnce = (
  event: LedgerEvent,
  sql: (form: Form) => string,
  values: readonly SqlValue[],
): Promise<Appended> => repeatOnContention(() => append(event, sql, values), { tries: TRIES });

/** Throws ContentionError, after which the same may be done again. */
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
  // In the plain form two writers may have wanted the same seq.
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
