import { writeStrict } from '../cache/write.ts';
import { query, type Row } from '../db.ts';
import { sessionKey } from '../swept-keys.ts';

/** Every session of a user has a copy of the user in Redis. This removes these copies. Throws EngineError. */
export async function invalidateUserCopies(userIds: readonly string[]): Promise<void> {
  if (userIds.length === 0) return;
  const rows = await query(
    `SELECT app_id, user_id, session_id FROM sessions
      WHERE user_id IN (${userIds.map(() => '?').join(', ')}) AND ended_at IS NULL AND ends_at > NOW(3)`,
    [...userIds],
  );
  if (rows.length === 0) return;
  // Tombstones and not a plain delete, which would remove the tombstone of another writer.
  await writeStrict(rows.map(keyOfRow), async () => undefined);
}

const keyOfRow = (row: Row) => sessionKey(String(row.app_id), String(row.user_id), String(row.session_id));
