import { query, type Row } from '../db.ts';
import { type Page, pageOf, readCursor } from './page.ts';

/**
 * An entry of a wallet. Entries are never changed. `seq` runs from 1 without gaps, and the balance is `balance_after` of
 * the last entry. Row 0 of a wallet is its head, which moves with each entry (append.ts), and is no entry.
 */
const KINDS = [
  'recharge',
  'spend',
  'refund',
  'refund_reversal',
  'grant',
  'adjust',
  'hold',
  'hold_end',
  'expiry',
  'merge_out',
  'merge_in',
] as const;
export type EntryKind = (typeof KINDS)[number];

/**
 * The other account of an entry. A spend that was refused is an entry that moves nothing: it stays refused under its
 * key. `hold_end` tells by it how the hold ended.
 */
export const CONTRA = {
  spent: 'shop:spent',
  refused: 'shop:refused',
  granted: 'shop:granted',
  adjusted: 'shop:adjusted',
  expired: 'shop:expired',
  forfeited: 'shop:forfeited',
  held: 'wallet:held',
  released: 'wallet:released',
  holdExpired: 'wallet:expired',
} as const;

export interface Entry {
  appId: string;
  userId: string;
  seq: number;
  delta: number;
  balanceAfter: number;
  heldDelta: number;
  heldAfter: number;
  kind: EntryKind;
  ref: string;
  contra: string;
  /** `<provider>:<transaction>` of a recharge; null for all other kinds. */
  extRef: string | null;
  /** null: without a reason. */
  reason: string | null;
  /** Hash of what the caller asked for; null: the entry has no caller. */
  requestHash: string | null;
  /** End of a hold, or of units that expire. */
  expiresAt: string | null;
  createdAt: string;
}

export const ENTRY_COLUMNS = `e.app_id, e.user_id, e.seq, e.delta, e.balance_after, e.held_delta, e.held_after, e.kind,
  e.ref, e.contra, e.ext_ref, e.reason, e.request_hash, e.expires_at, e.created_at`;

export const entryFromRow = (row: Row): Entry => ({
  appId: String(row.app_id),
  userId: String(row.user_id),
  seq: Number(row.seq),
  delta: Number(row.delta),
  balanceAfter: Number(row.balance_after),
  heldDelta: Number(row.held_delta),
  heldAfter: Number(row.held_after),
  kind: row.kind as EntryKind,
  ref: String(row.ref),
  contra: String(row.contra),
  extRef: row.ext_ref as string | null,
  reason: row.reason as string | null,
  requestHash: row.request_hash as string | null,
  expiresAt: row.expires_at as string | null,
  createdAt: String(row.created_at),
});

type Ask = typeof query;

/** Reads from the primary, or in a transaction. null: there is no such entry. */
export async function findEntry(kind: EntryKind, ref: string, ask: Ask = query): Promise<Entry | null> {
  const [row] = await ask(`SELECT ${ENTRY_COLUMNS} FROM ledger_entries e WHERE e.kind = ? AND e.ref = ?`, [kind, ref]);
  return row ? entryFromRow(row) : null;
}

/**
 * The entries of a wallet that have this number: a hold and its end share one. Also those from before a merge, in the
 * wallet of the user who was merged into this one.
 */
export async function readEntryByRef(appId: string, userId: string, asset: string, ref: string): Promise<Entry[]> {
  const rows = await query(
    `SELECT ${ENTRY_COLUMNS} FROM ledger_entries e JOIN users u ON u.user_id = e.user_id
      WHERE e.kind IN (${KINDS.map((kind) => `'${kind}'`).join(', ')}) AND e.ref = ? AND e.app_id = ? AND e.asset = ?
        AND (u.user_id = ? OR u.merged_into = ?) AND (e.delta <> 0 OR e.held_delta <> 0) ORDER BY e.seq DESC`,
    [ref, appId, asset, userId, userId],
  );
  return rows.map(entryFromRow);
}

/** What a wallet has. `version` grows with each entry. */
interface Holding {
  balance: number;
  /** Part of the balance that holds keep. */
  held: number;
  version: number;
}

/** From the primary. An empty wallet has no rows. */
export async function readHolding(appId: string, userId: string, asset: string): Promise<Holding> {
  const rows = await query(
    `SELECT l.seq, l.balance_after, h.held_after FROM ledger_entries l
       LEFT JOIN ledger_entries h ON h.app_id = l.app_id AND h.user_id = l.user_id AND h.asset = l.asset AND h.seq = 0
      WHERE l.app_id = ? AND l.user_id = ? AND l.asset = ? ORDER BY l.seq DESC LIMIT 1`,
    [appId, userId, asset],
  );
  const [row] = rows;
  return {
    balance: Number(row?.balance_after ?? 0),
    held: Number(row?.held_after ?? 0),
    version: Number(row?.seq ?? 0),
  };
}

/** The `seq` after which a page begins. null: this is not a cursor of this API. */
export function readEntryCursor(cursor: string): number | null {
  const [seq] = readCursor(cursor, /^(\d{1,16})$/) ?? [];
  return seq === undefined ? null : Number(seq);
}

/** A page of the entries that users see, newest first. Those that move nothing, such as a refused spend, are not shown. */
export async function listEntries(appId: string, userId: string, asset: string, { after, limit }: Page<number>) {
  const rows = await query(
    `SELECT ${ENTRY_COLUMNS} FROM ledger_entries e
      WHERE e.app_id = ? AND e.user_id = ? AND e.asset = ? AND e.seq > 0 ${after === undefined ? '' : 'AND e.seq < ?'}
        AND (e.delta <> 0 OR e.held_delta <> 0) ORDER BY e.seq DESC LIMIT ${limit + 1}`,
    after === undefined ? [appId, userId, asset] : [appId, userId, asset, after],
  );
  const { items, next } = pageOf(rows.map(entryFromRow), limit, ({ seq }) => String(seq));
  return { entries: items.map(publicEntry), ...next };
}

/** The form of an entry that callers see. A hold moves no units: `held` says how many it keeps, or no longer keeps. */
export function publicEntry(entry: Entry) {
  const { seq, delta, balanceAfter, heldDelta, ref, reason, expiresAt, createdAt } = entry;
  return {
    seq,
    kind: kindShown(entry),
    delta,
    balanceAfter,
    ref,
    createdAt,
    ...(heldDelta !== 0 && { held: heldDelta }),
    ...(expiresAt !== null && { expiresAt }),
    ...(reason !== null && { reason }),
  };
}

function kindShown({ kind, contra }: Entry): string {
  if (kind !== 'hold_end') return kind;
  if (contra === CONTRA.spent) return 'capture';
  return contra === CONTRA.holdExpired ? 'hold_expiry' : 'release';
}
