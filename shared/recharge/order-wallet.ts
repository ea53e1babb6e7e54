import { type Fragment, sql } from '../sql-fragment.ts';
import type { Appended } from './append.ts';
import { type EntryKind, findEntry } from './entry.ts';
import { walletName, walletOf } from './numbers.ts';

/**
 * The wallet of an order `o`: that of its user, or of the user into whom it was merged later. An order keeps its
 * user, and its number names the wallet of that user.
 */
export const ORDER_USER: Fragment = sql`JOIN users u ON u.user_id = o.user_id
     JOIN users w ON w.user_id = COALESCE(u.merged_into, u.user_id)`;
export const ORDER_WALLET = { appId: sql`o.app_id`, userId: sql`w.user_id`, asset: sql`o.asset` };
/** The `report` of an entry of an order: 1 if the units moved in the wallet of another user. */
export const IS_OF_ANOTHER: Fragment = sql`u.merged_into IS NOT NULL`;

/** The name of the wallet in which an entry of an order was found or made. */
export async function walletTouched(
  orderNo: string,
  { kind, ref }: { kind: EntryKind; ref: string },
  appended: Appended,
): Promise<string> {
  const isMoved = appended.outcome === 'created' && appended.report === 1;
  const entry = appended.outcome === 'found' ? appended.entry : isMoved ? await findEntry(kind, ref) : null;
  return entry ? walletName(entry.appId, entry.userId) : walletOf(orderNo);
}
