import { query, type SqlValue, type Transaction, writeRepeatably } from '../db.ts';
import { KEPT_KEY, parseKeptKey } from './object-keys.ts';

/**
 * The life of a row in `uploads`, by `used_by`. NULL: unused, until `ends_at`. `resource:id`: claimed by this record.
 * `-`: ended; its objects are being deleted, and nobody can use it any more.
 */
export const ENDED = '-';
/** SQL: longer than a call to this service or to the store can take. */
export const LOOK_AGAIN = 'NOW(3) + INTERVAL 10 MINUTE';
/** SQL: since when the signed address of a row is certainly no longer accepted, and no slow transfer runs. */
export const ADDRESS_ENDED = 'created_at + INTERVAL 30 MINUTE';

/** Where records name kept objects. */
export interface Naming {
  table: string;
  columns: readonly string[];
}

/** SQL: a record names the object of this row of `uploads`. `deleted`: also a record that was deleted. */
function isNamed({ table, columns }: Naming, deleted: 'also-deleted' | 'live'): string {
  const live = deleted === 'live' ? ' AND deleted_at IS NULL' : '';
  // The key is made from the row: so the subquery runs when the row is locked, never before.
  const names = columns.map((column) => `${column} = ${KEPT_KEY}`).join(' OR ');
  return `EXISTS (SELECT 1 FROM ${table} WHERE (${names})${live} FOR UPDATE)`;
}

/** The record may no longer name its uploads. Call it after the commit; what it misses, upload-sweep finds in a day. */
export async function lookAgain(record: string): Promise<void> {
  await writeRepeatably(`UPDATE uploads SET check_at = ${LOOK_AGAIN} WHERE used_by = ?`, [record]);
}

/**
 * In the transaction that erases a user: the objects are deleted as soon as no call can be using them. `records`: as
 * `resource:id`, those that the user leaves; their uploads may be those of a user that was merged into this one.
 */
export async function endUploadsOf(userId: string, records: readonly string[], { write }: Transaction): Promise<void> {
  const end = `UPDATE uploads SET ends_at = NOW(3), check_at = ${LOOK_AGAIN}`;
  await write(`${end} WHERE user_id = ?`, [userId]);
  if (records.length > 0) await write(`${end} WHERE used_by IN (${records.map(() => '?').join(', ')})`, records);
}

/** Makes an upload usable again, unless a record names its object. `due`: only if upload-sweep has to look at it. */
export async function freeUpload(uploadId: string, record: string, naming: Naming, due = false): Promise<boolean> {
  return change('used_by = NULL, etag = NULL, check_at = ends_at', uploadId, record, [
    `NOT ${isNamed(naming, 'also-deleted')}`,
    ...(due ? ['check_at <= NOW(3)'] : []),
  ]);
}

/** Ends a due upload, unless a live record names its object. `record` null: it is unused. */
export const endUpload = (uploadId: string, record: string | null, naming?: Naming): Promise<boolean> =>
  change(`used_by = '${ENDED}'`, uploadId, record, [
    'check_at <= NOW(3)',
    ...(naming ? [`NOT ${isNamed(naming, 'live')}`] : []),
  ]);

async function change(
  changes: string,
  uploadId: string,
  record: string | null,
  conditions: readonly string[],
): Promise<boolean> {
  const values: SqlValue[] = [uploadId, record];
  const where = ['upload_id = ?', 'used_by <=> ?', ...conditions].join(' AND ');
  return (await writeRepeatably(`UPDATE uploads SET ${changes} WHERE ${where}`, values)).rowsAffected > 0;
}

/** Locks the upload of a kept object for an operator's write. false: there is none, or its objects are being deleted. */
export async function lockKept(key: string, { query }: Transaction): Promise<boolean> {
  const named = parseKeptKey(key);
  if (!named) return false;
  const rows = await query(
    `SELECT 1 AS kept FROM uploads
      WHERE upload_id = ? AND app_id = ? AND user_id = ? AND used_by <> '${ENDED}' FOR UPDATE`,
    [named.uploadId, named.appId, named.userId],
  );
  return rows.length > 0;
}

/** The user's uploads that have not ended; the newest `limit`. */
export async function exportUploads(userId: string, limit: number): Promise<object[]> {
  const rows = await query(
    `SELECT upload_id, app_id, content_type, bytes, used_by, created_at FROM uploads
      WHERE user_id = ? AND (used_by IS NULL OR used_by <> '${ENDED}') ORDER BY created_at DESC LIMIT ?`,
    [userId, limit],
  );
  return rows.map((row) => ({
    uploadId: row.upload_id,
    appId: row.app_id,
    contentType: row.content_type,
    bytes: row.bytes,
    usedBy: row.used_by,
    createdAt: row.created_at,
  }));
}
