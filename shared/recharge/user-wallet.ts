import { query } from '../db.ts';
import { AppError } from '../errors.ts';
import { sql } from '../sql-fragment.ts';
import { ASSET } from './catalogue.ts';
import { type Entry, listEntries, publicEntry, readEntryByRef, readHolding } from './entry.ts';
import type { Page } from './page.ts';

/**
 * The wallet of a user at an app, for statements that append to it. A user who was merged has the wallet of the user
 * into whom it was merged; an erased user has none. `erasedToo`: what is left in the wallet of an erased user can be taken.
 */
export const userWallet = (appId: string, userId: string, { erasedToo = false } = {}) => ({
  from: sql`users u JOIN users w ON w.user_id = COALESCE(u.merged_into, u.user_id)`,
  where: sql`u.user_id = ${userId} AND (w.erased_at IS NULL OR ${erasedToo ? 1 : 0})`,
  wallet: { appId: sql`${appId}`, userId: sql`w.user_id`, asset: sql`${ASSET}` },
});

/** The user whose wallet it is. Throws NOT_FOUND: there is no such user, or it is erased. */
export async function walletUser(userId: string): Promise<string> {
  const [row] = await query(
    `SELECT w.user_id FROM users u JOIN users w ON w.user_id = COALESCE(u.merged_into, u.user_id)
      WHERE u.user_id = ? AND w.erased_at IS NULL`,
    [userId],
  );
  if (!row) throw new AppError('NOT_FOUND');
  return String(row.user_id);
}

/** Throws NOT_FOUND. */
export async function readWallet(appId: string, userId: string) {
  const { balance, held } = await readHolding(appId, await walletUser(userId), ASSET);
  return { balance, held, available: balance - held, asset: ASSET };
}

/** A page of entries, or the entries with the number of a spend, a hold, an order or a refund. Throws NOT_FOUND. */
export async function walletEntries(appId: string, userId: string, page: Page<number>, ref?: string) {
  const owner = await walletUser(userId);
  if (ref === undefined) return listEntries(appId, owner, ASSET, page);
  return { entries: (await readEntryByRef(appId, owner, ASSET, ref)).map(publicEntry) };
}

/** What an entry leaves in the wallet. */
export const leftBy = ({ balanceAfter, heldAfter }: Entry) => ({
  balance: balanceAfter,
  available: balanceAfter - heldAfter,
});
