import { query } from '../db.ts';
import { sql } from '../sql-fragment.ts';
import { AVAILABLE, appendOnce, HELD } from './append.ts';
import { forgetBalance } from './balance.ts';
import { CONTRA, ENTRY_COLUMNS, type Entry, entryFromRow } from './entry.ts';
import { walletName } from './numbers.ts';

/**
 * Units that expire. A lot is an entry that gave units with an end (a grant, or a lot that came by a merge). Spends take
 * from the lot that ends first, then from the next, then from the units without an end; a refund and an adjustment take
 * from the units without an end, and from the lots when there are no others. So how much of a lot is left follows from
 * the entries, and no statement that moves units has to know about lots. It is computed here when a lot ends.
 */
interface Lot {
  /** Number of the entry that gave the units. */
  ref: string;
  left: number;
  /** RFC 3339. */
  expiresAt: string;
}

/** The lots of a wallet after the entry `seq`. */
export interface Lots {
  seq: number;
  open: Lot[];
}

const GIVES_A_LOT: ReadonlySet<string> = new Set(['grant', 'merge_in']);
const TAKES_FROM_LOTS: ReadonlySet<string> = new Set(['spend', 'hold_end']);

/**
 * The lots after one more entry. A refund and an adjustment take the units without an end first; what is missing then
 * comes from the lots, so lots never have more than the balance.
 */
export function afterEntry({ open }: Lots, entry: Entry): Lots {
  const { seq, kind, delta, ref, expiresAt, balanceAfter } = entry;
  if (GIVES_A_LOT.has(kind) && expiresAt !== null) {
    const added = [...open, { ref, left: delta, expiresAt }];
    // A stable sort: of two lots with the same end, the older one is used first.
    return capped(
      seq,
      added.sort((a, b) => Date.parse(a.expiresAt) - Date.parse(b.expiresAt)),
      balanceAfter,
    );
  }
  if (kind === 'merge_out') return { seq, open: [] };
  if (kind === 'expiry')
    return capped(
      seq,
      open.filter((lot) => lot.ref !== ref),
      balanceAfter,
    );
  return capped(seq, TAKES_FROM_LOTS.has(kind) ? taken(open, -delta) : open, balanceAfter);
}

function capped(seq: number, open: readonly Lot[], balance: number): Lots {
  const sum = open.reduce((total, { left }) => total + left, 0);
  return { seq, open: taken(open, Math.max(0, sum - Math.max(0, balance))) };
}

function taken(open: readonly Lot[], units: number): Lot[] {
  let left = units;
  return open.flatMap((lot) => {
    const part = Math.min(lot.left, left);
    left -= part;
    return lot.left === part ? [] : [{ ...lot, left: lot.left - part }];
  });
}

interface Wallet {
  appId: string;
  userId: string;
  asset: string;
}

const PAGE = 1_000;
type Ask = typeof query;

/** The lots of a wallet now. */
export async function readLots(wallet: Wallet, ask: Ask = query): Promise<Lots> {
  let lots = NO_LOTS;
  for await (const entry of entriesAfter(wallet, 0, ask)) lots = afterEntry(lots, entry);
  return lots;
}

export const NO_LOTS: Lots = { seq: 0, open: [] };

/** The entries of a wallet after `seq`, in order. */
export async function* entriesAfter(wallet: Wallet, seq: number, ask: Ask = query): AsyncGenerator<Entry> {
  const { appId, userId, asset } = wallet;
  for (let after = seq; ; ) {
    const rows = await ask(
      `SELECT ${ENTRY_COLUMNS} FROM ledger_entries e
        WHERE e.app_id = ? AND e.user_id = ? AND e.asset = ? AND e.seq > ? ORDER BY e.seq LIMIT ${PAGE}`,
      [appId, userId, asset, after],
    );
    yield* rows.map(entryFromRow);
    if (rows.length < PAGE) return;
    after = Number(rows.at(-1)?.seq);
  }
}

const TRIES = 10;

/**
 * For the sweeper: takes what is left of a lot out of the wallet. A hold keeps units of the lot that ends first, as a
 * spend would take them: they stay, and then have no end. An entry also ends a lot of which nothing is left, so that the
 * next run does not meet it again. It may be repeated. The statement fits only the wallet that was read: if another
 * entry came first, the wallet is read again.
 */
export async function expireLot(lot: Entry & { asset: string }): Promise<void> {
  const { appId, userId, ref } = lot;
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const lots = await readLots(lot);
    const left = lots.open.find((one) => one.ref === ref)?.left ?? 0;
    const taken = sql`LEAST(GREATEST(0, ${left} - ${HELD}), GREATEST(0, ${AVAILABLE}))`;
    const appended = await appendOnce({
      kind: 'expiry',
      ref,
      from: sql`ledger_entries e LEFT JOIN users w ON w.user_id = e.user_id`,
      where: sql`e.kind = ${lot.kind} AND e.ref = ${ref} AND l.seq = ${lots.seq} AND e.expires_at <= NOW(3)`,
      wallet: { appId: sql`e.app_id`, userId: sql`e.user_id`, asset: sql`e.asset` },
      delta: sql`-(${taken})`,
      contra: sql`${CONTRA.expired}`,
    });
    if (appended.outcome !== 'refused') return forgetBalance(walletName(appId, userId));
  }
  throw new Error('a wallet that never rests');
}
