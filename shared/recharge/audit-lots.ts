import { query, type Row, sqlTime } from '../db.ts';
import type { Finding } from './audit-checks.ts';
import { afterEntry, entriesAfter, type Lots, NO_LOTS } from './lots.ts';

/**
 * H3: an expiry takes no more than what was left of its lot. Only the entries of the whole wallet show what was left, so
 * the wallets in which something expired are gone through from their first entry.
 */
export async function lotFindings(since: string | null): Promise<Finding[]> {
  const wallets = await query(
    `SELECT DISTINCT app_id, user_id, asset FROM ledger_entries
      WHERE kind = 'expiry' ${since === null ? '' : 'AND created_at >= ?'}`,
    since === null ? [] : [sqlTime(since)],
  );
  const findings: Finding[] = [];
  for (const wallet of wallets) findings.push(...(await expiredTooMuch(wallet)));
  return findings;
}

async function expiredTooMuch({ app_id, user_id, asset }: Row): Promise<Finding[]> {
  const wallet = { appId: String(app_id), userId: String(user_id), asset: String(asset) };
  const findings: Finding[] = [];
  let lots: Lots = NO_LOTS;
  for await (const entry of entriesAfter(wallet, 0)) {
    const left = lots.open.find(({ ref }) => ref === entry.ref)?.left ?? 0;
    if (entry.kind === 'expiry' && -entry.delta > left) {
      findings.push({ invariant: 'H3', what: 'more units expired than were left of their grant', subject: entry.ref });
    }
    lots = afterEntry(lots, entry);
  }
  return findings;
}
