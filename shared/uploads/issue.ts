import { randomBytes } from 'node:crypto';
import { query, writeRepeatably } from '../db.ts';
import { AppError, ER_DUP_ENTRY, SqlError } from '../errors.ts';
import { newKey } from './object-keys.ts';
import type { Store } from './settings.ts';
import { signedAddress } from './sign.ts';

/**
 * Permission to put one object of a promised type and size. The signature covers both, so the store refuses another
 * object. Formats that can contain a script, such as SVG, are not among the types.
 */
export const CONTENT_TYPES = ['image/jpeg', 'image/png', 'image/webp'] as const;
export const MAX_BYTES = 10 * 1024 * 1024;

const VALID_SECONDS = 900;
/** Uploads of one user that no record uses. Each ends after a day. */
const UNUSED_QUOTA = 20;
const QUOTA_DETAIL = `This user has ${UNUSED_QUOTA} uploads that no record uses; use one of them, or wait: each ends after a day.`;

interface Promised {
  contentType: (typeof CONTENT_TYPES)[number];
  bytes: number;
  /** Of the body, in lower-case hex. */
  sha256?: string | undefined;
}

interface IssuedUpload {
  uploadId: string;
  method: 'PUT';
  url: string;
  /** The client sends exactly these. The content-length is signed too; each platform sends it by itself. */
  headers: Record<string, string>;
  expiresAt: string;
}

/** `now`: Unix milliseconds. Throws QUOTA_REACHED; NOT_FOUND (the user is disabled or erased); EngineError. */
export async function issueUpload(
  store: Store,
  owner: { appId: string; userId: string },
  { contentType, bytes, sha256 }: Promised,
  now: number,
): Promise<IssuedUpload> {
  const uploadId = randomBytes(16).toString('base64url');
  await insertUpload(uploadId, owner, { contentType, bytes, sha256 });
  const headers = { 'content-type': contentType, ...(sha256 && { 'x-amz-content-sha256': sha256 }) };
  const signed = { ...headers, 'content-length': String(bytes) };
  const key = newKey({ ...owner, uploadId });
  return {
    uploadId,
    method: 'PUT',
    url: signedAddress(store, { method: 'PUT', key, headers: signed, at: now }, VALID_SECONDS),
    headers,
    expiresAt: new Date(now + VALID_SECONDS * 1000).toISOString(),
  };
}

/**
 * The row of the user is locked first, so calls of one user run one after another. The count is a locking read: a plain
 * one would see the uploads from before a parallel call, and pass the quota.
 */
async function insertUpload(
  uploadId: string,
  { appId, userId }: { appId: string; userId: string },
  { contentType, bytes, sha256 }: Promised,
): Promise<void> {
  try {
    const { rowsAffected } = await writeRepeatably(
      `INSERT INTO uploads (upload_id, app_id, user_id, content_type, bytes, sha256, ends_at, check_at)
       SELECT ?, ?, ?, ?, ?, ?, NOW(3) + INTERVAL 1 DAY, NOW(3) + INTERVAL 1 DAY FROM users
        WHERE user_id = ? AND disabled_at IS NULL AND erased_at IS NULL
          AND (SELECT COUNT(*) FROM uploads WHERE user_id = ? AND used_by IS NULL FOR UPDATE) < ${UNUSED_QUOTA}
          FOR UPDATE`,
      [uploadId, appId, userId, contentType, bytes, sha256 ?? null, userId, userId],
    );
    if (rowsAffected > 0) return;
  } catch (error) {
    // The statement was sent again after a lost answer, and the first one was applied.
    if (error instanceof SqlError && error.errno === ER_DUP_ENTRY) return;
    throw error;
  }
  const [found] = await query(
    `SELECT (SELECT COUNT(*) FROM uploads WHERE upload_id = ?) AS made,
            (SELECT COUNT(*) FROM users WHERE user_id = ? AND disabled_at IS NULL AND erased_at IS NULL) AS live`,
    [uploadId, userId],
  );
  if (Number(found?.made) > 0) return;
  throw Number(found?.live) > 0 ? new AppError('QUOTA_REACHED', QUOTA_DETAIL) : new AppError('NOT_FOUND');
}
