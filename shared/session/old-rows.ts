import { write } from '../db.ts';

/** Longer than Redis keeps the mark of an ended session. */
const KEPT_DAYS = 2;
const AT_ONCE = 1_000;

/**
 * Deletes rows of sessions that are past their absolute end. For such a session, a missing row gives the same answer.
 * Returns how many. Throws EngineError.
 */
export async function deleteOldSessions(): Promise<number> {
  const sql = `DELETE FROM sessions WHERE ends_at < NOW(3) - INTERVAL ${KEPT_DAYS} DAY LIMIT ${AT_ONCE}`;
  return (await write(sql)).rowsAffected;
}
