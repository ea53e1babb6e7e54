import { query, sqlTime } from '../db.ts';
import { evaluate } from '../redis.ts';
import { lua, Script } from '../script.ts';
import { sessionKey } from '../swept-keys.ts';

/**
 * A logout deletes the session's copy in Redis. If this delete was lost (the replica that became master did not have it
 * yet), the copy would be accepted until its own end. So the copies of recently ended sessions are deleted again. Marks
 * of ended sessions and tombstones of writers are kept.
 */
const LOOK_BACK_MS = 600_000;
const SLICE = 500;
const MAX_ROWS = 20_000;

const dropCopiesScript = new Script(lua`
local dropped = 0
for i, stored in ipairs(redis.call('MGET', unpack(KEYS))) do
  local kind = stored and string.sub(stored, 1, 1)
  if kind == 'J' or kind == 'Z' then
    redis.call('DEL', KEYS[i])
    dropped = dropped + 1
  end
end
return dropped
`);

/** Returns how many copies were deleted: usually none. Throws EngineError. */
export async function sweepEndedSessions(now = Date.now()): Promise<number> {
  const rows = await query(
    `SELECT app_id, user_id, session_id FROM sessions WHERE ended_at >= ? ORDER BY ended_at DESC LIMIT ${MAX_ROWS}`,
    [sqlTime(now - LOOK_BACK_MS)],
  );
  const keys = rows.map((row) => sessionKey(String(row.app_id), String(row.user_id), String(row.session_id)));
  let dropped = 0;
  for (let at = 0; at < keys.length; at += SLICE) {
    dropped += await evaluate<number>(dropCopiesScript, keys.slice(at, at + SLICE), []);
  }
  return dropped;
}
