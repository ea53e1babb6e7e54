import { query, type SqlValue, writeRepeatably } from '../db.ts';
import { ADDRESS_ENDED, ENDED, LOOK_AGAIN, type Naming } from './lives.ts';

/** What upload-sweep reads and writes in `uploads`. Two sweeps at once do no harm: each statement has its conditions. */
export interface DueUpload {
  appId: string;
  userId: string;
  uploadId: string;
  usedBy: string | null;
  /** The object below new/ is deleted. */
  cleared: boolean;
  /** No signed address can write the object any more. */
  addressEnded: boolean;
  /** Unused, it is to end. */
  past: boolean;
}

export async function dueUploads(limit: number): Promise<DueUpload[]> {
  const rows = await query(
    `SELECT app_id, user_id, upload_id, used_by, cleared, ends_at <= NOW(3) AS past,
            ${ADDRESS_ENDED} <= NOW(3) AS address_ended
       FROM uploads WHERE check_at <= NOW(3) ORDER BY check_at LIMIT ${limit}`,
  );
  return rows.map((row) => ({
    appId: String(row.app_id),
    userId: String(row.user_id),
    uploadId: String(row.upload_id),
    usedBy: row.used_by as string | null,
    cleared: Number(row.cleared) === 1,
    addressEnded: Number(row.address_ended) === 1,
    past: Number(row.past) === 1,
  }));
}

/** Which of these keys a live record names, and which of these ids are the id of a record, also of a deleted one. */
export async function namedKeys(
  { table, columns }: Naming,
  keys: readonly string[],
  ids: readonly string[],
): Promise<{ live: Set<string>; records: Set<string> }> {
  const marks = (values: readonly string[]): string => values.map(() => '?').join(', ');
  const live = new Set<string>();
  for (const column of columns) {
    const sql = `SELECT ${column} AS named FROM ${table} WHERE ${column} IN (${marks(keys)}) AND deleted_at IS NULL`;
    for (const { named } of await query(sql, [...keys])) live.add(String(named));
  }
  const rows = await query(`SELECT id FROM ${table} WHERE id IN (${marks(ids)})`, [...ids]);
  return { live, records: new Set(rows.map(({ id }) => String(id))) };
}

/** Live uploads are looked at again after a day. A claim, or a record that changed meanwhile, keeps its earlier time. */
const NEXT_DAY = `IF(${ADDRESS_ENDED} <= NOW(3), NOW(3) + INTERVAL 1 DAY, ${ADDRESS_ENDED})`;

/** The uploads are in use. `cleared`: nothing of theirs lies below new/ any more. */
export async function postpone(uploadIds: readonly string[], { cleared = false } = {}): Promise<void> {
  if (uploadIds.length === 0) return;
  const also = cleared ? 'cleared = 1, ' : '';
  const marks = uploadIds.map(() => '?').join(', ');
  const values: SqlValue[] = [...uploadIds];
  await writeRepeatably(
    `UPDATE uploads SET ${also}check_at = ${NEXT_DAY} WHERE upload_id IN (${marks}) AND check_at <= NOW(3)`,
    values,
  );
}

/** The store did not do what was asked, so others come first. */
export const retryLater = (uploadId: string) =>
  writeRepeatably(`UPDATE uploads SET check_at = ${LOOK_AGAIN} WHERE upload_id = ? AND check_at <= NOW(3)`, [uploadId]);

/**
 * The objects of an ended upload are deleted. Its row stays until no signed address can make the object again, and then
 * the objects are deleted once more.
 */
export async function forget(uploadId: string, addressEnded: boolean): Promise<void> {
  const where = `WHERE upload_id = ? AND used_by = '${ENDED}'`;
  if (addressEnded) await writeRepeatably(`DELETE FROM uploads ${where}`, [uploadId]);
  else await writeRepeatably(`UPDATE uploads SET check_at = ${ADDRESS_ENDED} ${where}`, [uploadId]);
}
