import { query, type SqlValue, writeRepeatably } from '../db.ts';
import { LOOK_AGAIN } from './lives.ts';
import { keptKey, newKey } from './object-keys.ts';
import { objectStore, type Store } from './settings.ts';
import { copyObject, headObject } from './store-requests.ts';

/**
 * The first use of an upload. The object is checked where the user put it, claimed for one record, and copied to a key
 * that nobody but the service can write. Then the record is written, under the condition that the claim still stands.
 *
 * Any of these steps may be the last one of a process. The same call, sent again, finds its own claim and continues. If
 * it is never sent again, upload-sweep ends the claim.
 */
export interface Claimant {
  /** The record, as `resource:id`. */
  record: string;
  userId: string;
  /** undefined: a server app may use what the user uploaded at any app. */
  appId: string | undefined;
}

export interface Claim {
  uploadId: string;
  /** The key that the record is to name. */
  key: string;
  /** false: this record had claimed it before. */
  isNew: boolean;
}

interface UploadRow {
  appId: string;
  /** Who uploaded it: the claimant, or a user that was merged into the claimant. */
  userId: string;
  contentType: string;
  bytes: number;
  usedBy: string | null;
  etag: string | null;
}

/**
 * `refused`: there is no such upload of this user, its object is missing or differs from what was promised, or another
 * record uses it. `not-copied`: claimed, but the object was replaced meanwhile. Throws EngineError.
 */
export async function claimUpload(uploadId: string, claimant: Claimant): Promise<Claim | 'refused' | 'not-copied'> {
  const store = objectStore();
  const row = store && (await findUpload(uploadId, claimant));
  if (!row) return 'refused';
  const isNew = row.usedBy === null;
  const result = await (isNew ? claimNew : resume)(store, uploadId, row, claimant);
  if (result !== 'copied') return result;
  return { uploadId, key: keptKey({ ...row, uploadId }), isNew };
}

type Result = 'copied' | 'not-copied' | 'refused';

/**
 * Without uploads of other users and apps, and without those that another record uses. What this record uses already it
 * may also use again: after a merge of users its owner is another one than that of the upload.
 */
async function findUpload(uploadId: string, { record, userId, appId }: Claimant): Promise<UploadRow | undefined> {
  const [row] = await query(
    `SELECT app_id, user_id, content_type, bytes, used_by, etag FROM uploads
      WHERE upload_id = ? AND (user_id = ? OR used_by = ?)`,
    [uploadId, userId, record],
  );
  if (!row || (appId !== undefined && row.app_id !== appId)) return undefined;
  if (row.used_by !== null && row.used_by !== record) return undefined;
  return {
    appId: String(row.app_id),
    userId: String(row.user_id),
    contentType: String(row.content_type),
    bytes: Number(row.bytes),
    usedBy: row.used_by as string | null,
    etag: row.etag as string | null,
  };
}

async function claimNew(store: Store, uploadId: string, row: UploadRow, claimant: Claimant): Promise<Result> {
  const object = await headObject(store, newKey({ ...row, uploadId }));
  if (!object || object.bytes !== row.bytes || object.contentType !== row.contentType) return 'refused';
  if (!(await claim(uploadId, row, claimant, object.etag))) return 'refused';
  return copy(store, uploadId, row, object.etag);
}

/**
 * This record has claimed it in an earlier call. Only the object that was checked then may be copied. If it is copied
 * already, it stays as it is, whatever now lies under the new key.
 */
async function resume(store: Store, uploadId: string, row: UploadRow, claimant: Claimant): Promise<Result> {
  const { etag } = row;
  if (etag === null || !(await claim(uploadId, row, claimant, etag))) return 'refused';
  const kept = await headObject(store, keptKey({ ...row, uploadId }));
  return kept ? 'copied' : copy(store, uploadId, row, etag);
}

async function copy(
  store: Store,
  uploadId: string,
  { appId, userId, contentType }: UploadRow,
  etag: string,
): Promise<Result> {
  const named = { appId, userId, uploadId };
  const copied = await copyObject(store, { from: newKey(named), to: keptKey(named), etag, contentType });
  return copied ? 'copied' : 'not-copied';
}

/**
 * One statement: of two records that claim at once one gets it. The same record may claim again, with the object of its
 * first claim. upload-sweep looks at the row again when the longest call has ended.
 */
async function claim(uploadId: string, { userId }: UploadRow, { record }: Claimant, etag: string): Promise<boolean> {
  const { rowsAffected } = await writeRepeatably(
    `UPDATE uploads SET used_by = ?, etag = ?, check_at = ${LOOK_AGAIN}
      WHERE upload_id = ? AND user_id = ? AND (used_by IS NULL OR (used_by = ? AND etag = ?))`,
    [record, etag, uploadId, userId, record, etag],
  );
  return rowsAffected > 0;
}

/**
 * A condition for the statement that writes the record. It locks the row of the upload: so upload-sweep either ends the
 * upload before, and the record is not written, or it waits and then finds the record.
 */
export const claimStands = (uploadId: string, record: string): [condition: string, values: SqlValue[]] => [
  'EXISTS (SELECT 1 FROM uploads WHERE upload_id = ? AND used_by = ? FOR UPDATE)',
  [uploadId, record],
];
