import { isTaken } from '../account/identity-rows.ts';
import { numberOf, phoneOf } from '../account/phone.ts';
import { query, type Row, writeRepeatably } from '../db.ts';
import { isSealedUnderFormerKey, SealError } from '../master-key.ts';

/**
 * Phone numbers are found by a hash under the master key, which is a part of their primary key. So the row moves when
 * the number is sealed again. Until then the number is found by its hash under the former key.
 */
const PAGE = 200;

interface ResealedPhones {
  resealed: number;
  /** The rows that stay as they are: no key opens the number, or another row has it under the new key. */
  failed: string[];
}

/** Throws EngineError. */
export async function resealPhones(): Promise<ResealedPhones> {
  const report: ResealedPhones = { resealed: 0, failed: [] };
  // By position, because rows move. A row that moved behind the position is seen again and stays as it is.
  for (let after = ''; ; ) {
    const rows = await query(
      `SELECT subject, sealed, label FROM identities
        WHERE platform = 'phone' AND platform_app = '' AND subject > ? ORDER BY subject LIMIT ${PAGE}`,
      [after],
    );
    for (const row of rows) await reseal(row, report);
    if (rows.length < PAGE) return report;
    after = String(rows.at(-1)?.subject);
  }
}

async function reseal(row: Row, report: ResealedPhones): Promise<void> {
  const [subject, sealed] = [String(row.subject), String(row.sealed)];
  if (!isSealedUnderFormerKey(sealed)) return;
  try {
    const number = numberOf({ platform: 'phone', platformApp: '', subject, sealed });
    const { identity } = phoneOf({ number, masked: String(row.label) });
    // The join locks the user: a call that changes the identities at the same time has read all of them, or waits.
    const { rowsAffected } = await writeRepeatably(
      `UPDATE identities i JOIN users u ON u.user_id = i.user_id SET i.subject = ?, i.sealed = ?
        WHERE i.platform = 'phone' AND i.platform_app = '' AND i.subject = ? AND i.sealed = ?`,
      [identity.subject, identity.sealed ?? null, subject, sealed],
    );
    report.resealed += rowsAffected;
  } catch (error) {
    // Taken: functions that had only the former key gave the number to a second user.
    if (!(error instanceof SealError) && !isTaken(error)) throw error;
    report.failed.push(subject);
  }
}
