import { query, sqlTime, type Transaction } from '../db.ts';
import { sql } from '../sql-fragment.ts';
import { appendIn } from './append.ts';
import { forgetBalance } from './balance.ts';
import { readLots } from './lots.ts';
import { mergeNumber, walletName } from './numbers.ts';

/**
 * Merging the wallets of two users. What a wallet has leaves it by one entry and arrives in the other by one entry, both
 * with the same number; each lot that expires moves by a pair of its own and keeps its end, or ends now if it is overdue:
 * the sweeper looks for no end that is long past. The sum over both users stays
 * the same, for each app and asset.
 */
export interface WalletMove {
  appId: string;
  asset: string;
  /** Negative: a debt. */
  units: number;
}

interface Pair {
  from: string;
  into: string;
}

/** What would move. `ask`: a transaction that has locked both users, or none for a preview. */
export async function movableUnits({ from }: Pick<Pair, 'from'>, ask: typeof query = query): Promise<WalletMove[]> {
  const rows = await ask(
    `SELECT e.app_id, e.asset, SUM(e.delta) AS units FROM apps a
       JOIN ledger_entries e ON e.app_id = a.app_id AND e.user_id = ? GROUP BY e.app_id, e.asset HAVING units <> 0`,
    [from],
  );
  return rows.map((row) => ({ appId: String(row.app_id), asset: String(row.asset), units: Number(row.units) }));
}

/** In a transaction that has locked the rows of both users, before the user `from` ends. */
export async function moveUnits(pair: Pair, transaction: Transaction): Promise<WalletMove[]> {
  const moves = await movableUnits(pair, transaction.query);
  for (const { appId, asset, units } of moves) {
    const { open } = await readLots({ appId, userId: pair.from, asset }, transaction.query);
    const rest = open.reduce((sum, { left }) => sum - left, units);
    for (const { ref, left, expiresAt } of open) {
      await movePart(pair, { appId, asset, name: ref, units: left, expiresAt }, transaction);
    }
    if (rest !== 0) await movePart(pair, { appId, asset, name: asset, units: rest }, transaction);
  }
  return moves;
}

interface Part {
  appId: string;
  asset: string;
  /** Tells the parts of a wallet apart. */
  name: string;
  units: number;
  expiresAt?: string;
}

async function movePart({ from, into }: Pair, part: Part, transaction: Transaction): Promise<void> {
  const { appId, asset, name, units, expiresAt } = part;
  const ref = mergeNumber(appId, from, name);
  const append = (kind: 'merge_out' | 'merge_in', userId: string, other: string, delta: number) =>
    appendIn(transaction, {
      kind,
      ref,
      from: sql`users w`,
      where: sql`w.user_id = ${userId}`,
      wallet: { appId: sql`${appId}`, userId: sql`w.user_id`, asset: sql`${asset}` },
      delta: sql`${delta}`,
      contra: sql`${`user:${other}`}`,
      ...(expiresAt !== undefined && { expiresAt: sql`GREATEST(CAST(${sqlTime(expiresAt)} AS DATETIME(3)), NOW(3))` }),
    });
  for (const moved of [await append('merge_out', from, into, -units), await append('merge_in', into, from, units)]) {
    if (moved.outcome !== 'created') throw new Error('units that were merged before');
  }
}

/** After the commit. */
export async function forgetMerged({ from, into }: Pair, moves: readonly WalletMove[]): Promise<void> {
  for (const { appId } of moves) {
    for (const userId of [from, into]) await forgetBalance(walletName(appId, userId));
  }
}
