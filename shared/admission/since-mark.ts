import { lua } from '../script.ts';

/**
 * Since marks: since when the replay records are complete. After Redis lost writes, calls that change something are
 * refused when their token may have been used before. A mark is `<since>;<begun>;<pause>;<ahead>;<before>`, all of it
 * by Redis' clock, in seconds. A number alone is the form of former versions.
 *
 * since: tokens with an earlier time stamp may have been used. begun: when Redis was found to have lost writes. pause:
 * for so long after `begun` the answer for a token that may be new is "try again" instead of "used". ahead: by how much
 * the time stamps of calls that changed something were ahead of Redis' clock, at most, since the last minute began;
 * negative when callers' clocks are behind. before: the same for the last minute with such calls, for about ten minutes.
 * They are '' while it is unknown.
 *
 * Without `ahead` a caller whose clock is 60 s behind could change nothing for a minute after a restart, and a token
 * that was signed by a clock 60 s ahead could be used again.
 */
export const SINCE_SECONDS = 86_400;

/**
 * A time stamp that is further ahead counts as this far ahead: one wrong clock must not stop all callers for minutes.
 */
const MOST_AHEAD = 60;
/**
 * A token may have been this many seconds on its way. So callers who seem to be behind by no more may be right: they are
 * taken for right, and told to try again for as long.
 */
const ON_ITS_WAY = 5;
/** The time stamp of a token is a whole second, so what is known of its caller's clock is right to a second. */
const PAUSE = 2;

/**
 * Lua. read_mark(text, second) returns a mark, or nil when there is none; mark_text(mark) is its text. new_mark(second)
 * is for a Redis that has lost its marks. after_restart(marks, second) is for one that has lost its last writes.
 * known_ahead(mark) may be nil.
 */
export const SINCE_MARK = lua`
local function read_mark(text, second)
  local since, begun, pause, ahead, before = string.match(text or '', '^(%d+);?(%d*);?(%d*);?(%-?%d*);?(%-?%d*)$')
  since = tonumber(since)
  if not since or since > second + ${MOST_AHEAD} + 1 then return nil end
  return {
    since = since, begun = tonumber(begun) or second, pause = tonumber(pause) or 0,
    ahead = tonumber(ahead), before = tonumber(before)
  }
end
local function mark_text(mark)
  return table.concat({mark.since, mark.begun, mark.pause, mark.ahead or '', mark.before or ''}, ';')
end
local function new_mark(second)
  return {since = second, begun = second, pause = 0}
end
local function known_ahead(mark)
  return mark.ahead and mark.before and math.max(mark.ahead, mark.before) or mark.ahead or mark.before
end
local function after_restart(marks, second)
  local ahead, since = nil, 0
  for _, mark in pairs(marks) do
    local known = known_ahead(mark)
    ahead = known and math.max(known, ahead or known) or ahead
    since = math.max(since, mark.since)
  end
  local late = ahead and ahead < 0 and ahead >= -${ON_ITS_WAY} and -ahead or 0
  since = math.max(since, second + 1 + late + math.min(ahead or 0, ${MOST_AHEAD}))
  return {since = since, begun = second, pause = ${PAUSE} + late + math.max(0, since - second - 1), before = ahead}
end
`;
