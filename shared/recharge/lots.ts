import { query, writeRepeatably } from '../db.ts';
import { sql } from '../sql-fragment.ts';
import { AVAILABLE, appendOnce } from './append.ts';
import { forgetBalance } from './balance.ts';
import { CONTRA, ENTRY_COLUMNS, type Entry, entryFromRow } from './entry.ts';
import { walletName } from './numbers.ts';

/**
 * Units that expire. A lot is an entry that gave units with an end (a grant, or a lot that came by a merge). Spends take
 * from the lot that ends first, then from the next, then from the units without an end; a refund and an adjustment take
 * from the units without an end. So how much of a lot is left follows from the entries after it, and no statement that
 * moves units has to know about lots. It is computed here when a lot ends.
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

/** The lots after one more entry. */
export function afterEntry({ open }: Lots, { seq, kind, delta, ref, expiresAt }: Entry): Lots {
  if (GIVES_A_LOT.has(kind) && expiresAt !== null) {
    const added = [...open, { ref, left: delta, expiresAt }];
    // A stable sort: of two lots with the same end, the older one is used first.
    return { seq, open: added.sort((a, b) => Date.parse(a.expiresAt) - Date.parse(b.expiresAt)) };
  }
  if (kind === 'merge_out') return { seq, open: [] };
  if (kind === 'expiry') return { seq, open: open.filter((lot) => lot.ref !== ref) };
  if (TAKES_FROM_LOTS.has(kind)) return { seq, open: taken(open, -delta) };
  return { seq, open };
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

/** The lots of a wallet now: what the head remembers, and the entries after that. */
export async function readLots(wallet: Wallet, ask: Ask = query): Promise<Lots> {
  const { appId, userId, asset } = wallet;
  const [head] = await ask(
    'SELECT lots FROM ledger_entries WHERE app_id = ? AND user_id = ? AND asset = ? AND seq = 0',
    [appId, userId, asset],
  );
  let lots: Lots = typeof head?.lots === 'string' ? (JSON.parse(head.lots) as Lots) : NO_LOTS;
  for await (const entry of entriesAfter(wallet, lots.seq, ask)) lots = afterEntry(lots, entry);
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
 * For the sweeper: takes what is left of a lot out of the wallet. Units that a hold keeps stay, and then have no end. An
 * entry also ends a lot of which nothing is left, so that the next run does not meet it again. It may be repeated. The statement fits only the wallet that was read: if another entry came first, the wallet is read
 * again.
 */
export async function expireLot(lot: Entry & { asset: string }): Promise<void> {
  const { appId, userId, asset, ref } = lot;
  for (let attempt = 1; attempt <= TRIES; attempt++) {
    const lots = await readLots(lot);
    const left = lots.open.find((one) => one.ref === ref)?.left ?? 0;
    const taken = sql`LEAST(${left}, GREATEST(0, ${AVAILABLE}))`;
    const appended = await appendOnce({
      kind: 'expiry',
      ref,
      from: sql`ledger_entries e JOIN users w ON w.user_id = e.user_id`,
      where: sql`e.kind = ${lot.kind} AND e.ref = ${ref} AND l.seq = ${lots.seq} AND e.expires_at <= NOW(3)`,
      wallet: { appId: sql`e.app_id`, userId: sql`e.user_id`, asset: sql`e.asset` },
      delta: sql`-(${taken})`,
      contra: sql`${CONTRA.expired}`,
    });
    if (appended.outcome !== 'refused') {
      await forgetBalance(walletName(appId, userId));
      return remember({ appId, userId, asset }, afterEntry(lots, { ...lot, seq: lots.seq + 1, kind: 'expiry' }));
    }
  }
  throw new Error('a wallet that never rests');
}

/** A shorter way for the next reading. The entries decide: a lost or older memory changes nothing. */
const remember = async ({ appId, userId, asset }: Wallet, lots: Lots): Promise<void> =>
  void (await writeRepeatably(
    'UPDATE ledger_entries SET lots = ? WHERE app_id = ? AND user_id = ? AND asset = ? AND seq = 0',
    [JSON.stringify(lots), appId, userId, asset],
  ));
