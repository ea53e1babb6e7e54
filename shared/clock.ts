import { randomBytes } from 'node:crypto';
import { channel } from 'node:diagnostics_channel';
import { EngineError } from './errors.ts';
import { keyFamily } from './keys.ts';
import { evaluate } from './redis.ts';
import { lua, Script } from './script.ts';
import { alarm, measure } from './telemetry.ts';

/**
 * The one clock is Redis'. A token's time stamp and every time in a stored value are compared with it alone, because
 * functions run on many machines, whose clocks differ.
 *
 * Lua. clock(key) returns Redis' time in Unix milliseconds. For an engine that refuses TIME in a script it takes the
 * time from the end of `key`; a key that is absent is set for one second.
 */
export const CLOCK = lua`
local function clock(key)
  local time = redis.pcall('TIME')
  if time[1] then return time[1] * 1000 + math.floor(time[2] / 1000) end
  redis.call('SET', key, '', 'PX', 1000, 'NX')
  if redis.call('PTTL', key) < 0 then redis.call('PEXPIRE', key, 1000) end
  return redis.call('PEXPIRETIME', key) - redis.call('PTTL', key)
end
`;

const ALARM_BEYOND_MS = 5_000;
const EVERY_MS = 60_000;
/** serve/ shows what is published here. It runs the functions as bundles, so it cannot import this file. */
const skews = channel('miniapp-cloud:clock-skew-ms');
let alarmedAt = Number.NEGATIVE_INFINITY;
let checkedAt = Number.NEGATIVE_INFINITY;

/**
 * The request was sent at `sentAt` and answered by `answeredAt`, both by this process's clock. What the time of the
 * request can explain is no difference, so a process that was frozen during a request does not alarm.
 */
const skewOf = (redisMs: number, sentAt: number, answeredAt: number): number =>
  redisMs < sentAt ? sentAt - redisMs : Math.min(0, answeredAt - redisMs);

/**
 * Compares this process's clock with Redis' time in the answer to a request. true: the difference is above 5 s, and the
 * alarm was raised now; it is raised at most once a minute.
 */
export function compareClocks(redisMs: number, sentAt: number, answeredAt = Date.now()): boolean {
  const latest = skewOf(redisMs, sentAt, answeredAt);
  if (latest !== 0) measure('clock.skew-ms', latest);
  skews.publish(latest);
  if (Math.abs(latest) <= ALARM_BEYOND_MS || Math.abs(answeredAt - alarmedAt) < EVERY_MS) return false;
  alarmedAt = answeredAt;
  alarm('clock-skew', { skewMs: latest });
  return true;
}

const REPORTED_SECONDS = 600;
const reportsKey = keyFamily<[string]>({
  area: 'replay',
  name: 'clocks',
  version: 1,
  parts: ['id'],
  ttlSeconds: REPORTED_SECONDS,
});
const instance = randomBytes(3).toString('hex');

/**
 * KEYS: reports. ARGV: who reports, its time in ms, life of a report in seconds. It removes old reports. Answer: Redis'
 * time in ms.
 */
const reportScript = new Script(lua`
${CLOCK}
local now = clock(KEYS[1])
if redis.call('TYPE', KEYS[1]).ok ~= 'hash' then redis.call('DEL', KEYS[1]) end
local all = redis.call('HGETALL', KEYS[1])
for i = 1, #all, 2 do
  if now - tonumber(string.match(all[i + 1], ';(%d+)$') or 0) > ARGV[3] * 1000 then redis.call('HDEL', KEYS[1], all[i]) end
end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d;%d', ARGV[2] - now, now))
redis.call('EXPIRE', KEYS[1], ARGV[3])
return string.format('%d', now)
`);

/**
 * Asks Redis for its time and reports the difference, for `portal health`; at most once a minute in a process. `role`:
 * what noticed it. It never throws because of an engine.
 */
export async function checkClock(role: 'authorizer' | 'admission' | 'cache-warm'): Promise<void> {
  const sentAt = Date.now();
  if (Math.abs(sentAt - checkedAt) < EVERY_MS) return;
  checkedAt = sentAt;
  try {
    const args = [`${role} ${instance}`, sentAt, REPORTED_SECONDS];
    compareClocks(Number(await evaluate<string>(reportScript, [reportsKey('all')], args)), sentAt);
  } catch (error) {
    if (!(error instanceof EngineError)) throw error;
  }
}

interface ClockReport {
  /** Role and process. */
  who: string;
  /** Its clock minus Redis', in ms. */
  skewMs: number;
  secondsAgo: number;
}

const readScript = new Script(lua`
${CLOCK}
return {string.format('%d', clock(KEYS[2])), redis.call('HGETALL', KEYS[1])}
`);

/**
 * Redis' time, this process's clock minus it, and the reports of the last ten minutes, the largest difference first.
 * Throws EngineError.
 */
export async function readClocks(): Promise<{ redisMs: number; skewMs: number; reports: ClockReport[] }> {
  const keys = [reportsKey('all'), reportsKey('read')];
  const sentAt = Date.now();
  const [now, fields] = await evaluate<[string, string[]]>(readScript, keys, []);
  const skewMs = skewOf(Number(now), sentAt, Date.now());
  const reports: ClockReport[] = [];
  for (let i = 0; i + 1 < fields.length; i += 2) {
    const [skewMs = 0, at = 0] = (fields[i + 1] as string).split(';').map(Number);
    reports.push({ who: fields[i] as string, skewMs, secondsAgo: Math.round((Number(now) - at) / 1000) });
  }
  return { redisMs: Number(now), skewMs, reports: reports.sort((a, b) => Math.abs(b.skewMs) - Math.abs(a.skewMs)) };
}
