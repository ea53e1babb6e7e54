import { setTimeout as sleep } from 'node:timers/promises';
import type { Redis } from 'ioredis';
import { SINCE_MARK } from '../../shared/admission/since-mark.ts';
import { RedisUnreachable, sendCommand } from './redis-connection.ts';

/**
 * Protects against replays after Redis lost writes (row A5 (valid once)). A promoted replica may lack the newest replay
 * records, and a restarted server may have lost its last second. So when another server, or another run of it, is
 * found, the script moves every since mark. The admission script then refuses calls other than GET whose token may have
 * been used before.
 */
const KEY_LIFETIME_MS = 86_400_000;

const SCRIPT = `
${SINCE_MARK}
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
local time = redis.call('TIME')
local second = tonumber(time[1])
local known, found = string.match(redis.call('GET', KEYS[1]) or '', '^(%w+);?(%d*)$')
-- Until the second is over, a new token has the same time stamp as one whose use is lost.
local holdMs = (tonumber(found) or 0) >= second and 1000 - math.floor(time[2] / 1000) or 0
if known == run then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return {0, holdMs}
end
redis.call('SET', KEYS[1], run .. ';' .. second, 'PX', ARGV[1])
local marks = {}
for i, text in ipairs(redis.call('MGET', unpack(KEYS, 2))) do marks[i] = read_mark(text, second) end
local text = mark_text(after_restart(marks, second))
for i = 2, #KEYS do redis.call('SET', KEYS[i], text, 'PX', ARGV[1]) end
return {1, 1000 - math.floor(time[2] / 1000)}`;

export interface ReplayGuard {
  /** The key that holds the run id of the server that served last. */
  runKey: string;
  /** The keys of the since marks: since when the replay records are complete. */
  sinceKeys: readonly string[];
  /** Called after the since marks were set: the last writes may be lost. */
  onNewServer?: () => void;
}

/** For each client: the check of its connection, and the time after it in which nothing is sent. */
const checks = new WeakMap<Redis, Promise<void>>();

/**
 * Checks the server now, and again first on every new connection. Resolves when commands may be sent. Rejects with
 * RedisRefusal when the account lacks EVAL or INFO, and with RedisUnreachable.
 */
export async function guardReplays(redis: Redis, guard: ReplayGuard): Promise<void> {
  redis.on('ready', () => {
    // No command may use an unchecked connection. The next connection is checked again.
    checks.set(
      redis,
      check(redis, guard).catch(() => redis.disconnect(true)),
    );
  });
  await check(redis, guard);
}

/** Resolves when the connection is checked. Rejects with RedisUnreachable after `ms`. */
export async function untilGuarded(redis: Redis, ms: number): Promise<void> {
  const checked = checks.get(redis);
  if (!checked) return;
  const late = new AbortController();
  const tooLate = sleep(ms, undefined, { signal: late.signal }).then(() => {
    throw new RedisUnreachable();
  });
  tooLate.catch(() => {});
  await Promise.race([checked, tooLate]).finally(() => late.abort());
}

async function check(redis: Redis, { runKey, sinceKeys, onNewServer }: ReplayGuard): Promise<void> {
  const keys = [runKey, ...sinceKeys];
  const answer = await sendCommand(redis, 'EVAL', [SCRIPT, String(keys.length), ...keys, String(KEY_LIFETIME_MS)]);
  const [isNew, holdMs] = Array.isArray(answer) ? answer.map(Number) : [];
  if (isNew === 1) onNewServer?.();
  if (holdMs) await sleep(holdMs);
}
