import { write } from '../db.ts';

/** Longer than a session that was ended says so. */
const KEPT_DAYS = 2;
const AT_ONCE = 1_000;

/**
 * Deletes rows of sessions that are past their absolute end: to whoever still presents one an absent row says the same.
 * Gives how many. Throws EngineError.
 */
export async function deleteOldSessions(): Promise<number> {
  const sql = `DELETE FROM sessions WHERE ends_at < NOW(3) - INTERVAL ${KEPT_DAYS} DAY LIMIT ${AT_ONCE}`;
  return (await write(sql)).rowsAffected;
}
