import { query } from '../../db.ts';
import type { Period } from './china-day.ts';
import { type BookedEntry, entriesBooked, type Head, walletHeads } from './entries.ts';

/** What users of an app have of an asset: the units that the deployment owes them, and how they changed. */
export interface UnitSums {
  appId: string;
  asset: string;
  /** Before the period. */
  begin: number;
  credited: number;
  spent: number;
  granted: number;
  refunded: number;
  expired: number;
  /** Corrections, and what moved between wallets. */
  other: number;
  /** begin + all of the above: the units outstanding at the end of the period. */
  end: number;
}

type Movement = Exclude<keyof UnitSums, 'appId' | 'asset' | 'begin' | 'end'>;

function movementOf(kind: string): Movement {
  if (kind === 'recharge') return 'credited';
  if (kind === 'spend' || kind === 'capture') return 'spent';
  if (kind === 'grant') return 'granted';
  if (kind === 'refund' || kind === 'refund_reversal') return 'refunded';
  return kind.startsWith('expir') ? 'expired' : 'other';
}

interface Touched {
  entries: number;
  sum: number;
  firstSeq: number;
  /** The balance before the entry `firstSeq`. */
  before: number;
}

/**
 * The sums of a period, and the wallets whose entries do not lead to their balance. The heads of the wallets give the
 * units of now, and the entries since then are subtracted, so the time follows the age of the period. Entries that are
 * written meanwhile have a higher number than their head had, and are left out.
 */
export async function sumUnits(period: Period): Promise<{ units: UnitSums[]; broken: string[] }> {
  const sums = new Sums();
  const heads = new Map<string, Head>();
  for await (const page of walletHeads())
    for (const head of page) {
      heads.set(walletOf(head), head);
      sums.of(head).begin += head.balance;
      sums.of(head).end += head.balance;
    }
  const touched = new Map<string, Touched>();
  const headless = new Set<string>();
  for await (const page of entriesBooked({ from: period.from }))
    for (const entry of page) {
      const head = heads.get(walletOf(entry));
      if (!head) headless.add(walletOf(entry));
      if (!head || entry.seq > head.lastSeq) continue;
      sums.move(entry, period);
      touch(touched, entry);
    }
  const broken: string[] = [];
  for (const [wallet, head] of heads) {
    const found = touched.get(wallet);
    if (found && !leadsTo(head, found) && !(await entriesAgree(wallet, head, found.firstSeq))) broken.push(wallet);
  }
  for (const wallet of headless) if (!(await hasHead(wallet))) broken.push(wallet);
  return { units: sums.list(), broken };
}

class Sums {
  readonly #sums = new Map<string, UnitSums>();
  of({ appId, asset }: { appId: string; asset: string }): UnitSums {
    const key = `${appId}/${asset}`;
    const none = { credited: 0, spent: 0, granted: 0, refunded: 0, expired: 0, other: 0 };
    const known = this.#sums.get(key) ?? { appId, asset, begin: 0, ...none, end: 0 };
    this.#sums.set(key, known);
    return known;
  }
  move(entry: BookedEntry, { to }: Period): void {
    const sums = this.of(entry);
    sums.begin -= entry.delta;
    if (entry.createdAt >= to) sums.end -= entry.delta;
    else sums[movementOf(entry.kind)] += entry.delta;
  }
  list(): UnitSums[] {
    return [...this.#sums.values()].sort((a, b) => `${a.appId}/${a.asset}`.localeCompare(`${b.appId}/${b.asset}`));
  }
}

const walletOf = ({ appId, userId, asset }: { appId: string; userId?: string; asset: string }): string =>
  `${appId}/${userId}/${asset}`;

function touch(touched: Map<string, Touched>, entry: BookedEntry): void {
  const wallet = walletOf(entry);
  const known = touched.get(wallet) ?? { entries: 0, sum: 0, firstSeq: Number.POSITIVE_INFINITY, before: 0 };
  known.entries += 1;
  known.sum += entry.delta;
  if (entry.seq < known.firstSeq) {
    known.firstSeq = entry.seq;
    known.before = entry.seq === 1 ? 0 : entry.balanceAfter - entry.delta;
  }
  touched.set(wallet, known);
}

const leadsTo = ({ lastSeq, balance }: Head, { entries, sum, firstSeq, before }: Touched): boolean =>
  entries === lastSeq - firstSeq + 1 && before + sum === balance;

/** Two entries of one moment may have times in another order than their numbers. So the numbers decide. */
async function entriesAgree(wallet: string, { lastSeq, balance }: Head, firstSeq: number): Promise<boolean> {
  const [row] = await query(
    `SELECT COUNT(*) AS entries, SUM(delta) AS sum, MIN(IF(seq = ?, IF(seq = 1, 0, balance_after - delta), NULL)) AS before_it
       FROM ledger_entries WHERE app_id = ? AND user_id = ? AND asset = ? AND seq BETWEEN ? AND ?`,
    [firstSeq, ...wallet.split('/'), firstSeq, lastSeq],
  );
  return Number(row?.entries) === lastSeq - firstSeq + 1 && Number(row?.before_it) + Number(row?.sum) === balance;
}

/** A wallet that is younger than the heads that were read has its head by now. */
const hasHead = async (wallet: string): Promise<boolean> =>
  (
    await query('SELECT 1 AS head FROM ledger_entries WHERE app_id = ? AND user_id = ? AND asset = ? AND seq = 0', [
      ...wallet.split('/'),
    ])
  ).length > 0;
