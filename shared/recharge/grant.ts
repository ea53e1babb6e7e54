import { sqlTime } from '../db.ts';
import { invalidInput } from '../errors.ts';
import { sql } from '../sql-fragment.ts';
import { appendOnce } from './append.ts';
import { forgetBalance } from './balance.ts';
import { ASSET } from './catalogue.ts';
import { CONTRA, type Entry, findEntry } from './entry.ts';
import { grantNumber, requestHash, walletName } from './numbers.ts';
import { checkSame, type Done } from './spend.ts';
import { leftBy, userWallet, walletUser } from './user-wallet.ts';

interface Granted {
  ref: string;
  balance: number;
  available: number;
  asset: string;
  expiresAt?: string;
}

/**
 * Gives units that nobody paid for. With `expiresAt` (RFC 3339) they are spent before all other units, and what is left
 * of them at that time leaves the wallet. Throws NOT_FOUND, INVALID_INPUT (the end is past), IDEMPOTENCY_KEY_REUSED.
 */
export async function grant(
  appId: string,
  userId: string,
  idempotencyKey: string,
  { amount, reason, expiresAt }: { amount: number; reason: string; expiresAt?: string | undefined },
): Promise<Done<Granted>> {
  const ref = grantNumber(appId, userId, idempotencyKey);
  const hash = requestHash({ amount, reason, expiresAt: expiresAt ?? null });
  const { from, where, wallet } = userWallet(appId, userId);
  const end = expiresAt === undefined ? undefined : sql`${sqlTime(expiresAt)}`;
  const appended = await appendOnce({
    kind: 'grant',
    ref,
    from,
    wallet,
    where: end ? sql`${where} AND ${end} > NOW(3)` : where,
    delta: sql`${amount}`,
    contra: sql`${CONTRA.granted}`,
    reason: sql`${reason}`,
    requestHash: hash,
    ...(end && { expiresAt: end }),
  });
  if (appended.outcome === 'refused' || appended.outcome === 'foreign') {
    await walletUser(userId);
    throw invalidInput({ path: 'expiresAt', message: 'expected a time in the future' });
  }
  const replayed = appended.outcome === 'found';
  const entry = replayed ? appended.entry : ((await findEntry('grant', ref)) as Entry);
  checkSame(entry, hash);
  await forgetBalance(walletName(entry.appId, entry.userId));
  const ends = entry.expiresAt === null ? {} : { expiresAt: entry.expiresAt };
  return { result: { ref, ...leftBy(entry), asset: ASSET, ...ends }, replayed };
}
