import type { Redis } from 'ioredis';
import { sendCommand } from './redis-connection.ts';

/**
 * Replication is asynchronous: a promoted replica may lack the last records of what was admitted, and a server that
 * restarted may have lost its last second. Records of the time before cannot be relied on then, so each key that says
 * since when they are complete is set to now. The admission script does the rest: it refuses older unsafe calls.
 */
const LIFE_MS = 86_400_000;

const SCRIPT = `
local run = string.match(redis.call('INFO', 'server'), 'run_id:(%w+)')
if redis.call('GET', KEYS[1]) == run then
  redis.call('PEXPIRE', KEYS[1], ARGV[1])
  return 0
end
local now = redis.call('TIME')[1]
redis.call('SET', KEYS[1], run, 'PX', ARGV[1])
for i = 2, #KEYS do redis.call('SET', KEYS[i], now, 'PX', ARGV[1]) end
return 1`;

export interface ReplayGuard {
  /** Remembers which run of which server served last. */
  runKey: string;
  /** Hold the Unix seconds since when replay records are complete. */
  sinceKeys: readonly string[];
  /** Told after the keys were set: what was written last may be lost. */
  onNewServer?: () => void;
}

/**
 * Runs before every command of a new connection, since it is written to it first. Resolves for the connection that is
 * there already; rejects with RedisRefusal where the account lacks EVAL or INFO.
 */
export async function guardReplays(redis: Redis, guard: ReplayGuard): Promise<void> {
  redis.on('ready', () => {
    // Nothing may pass unguarded: the next connection asks again.
    check(redis, guard).catch(() => redis.disconnect(true));
  });
  await check(redis, guard);
}

async function check(redis: Redis, { runKey, sinceKeys, onNewServer }: ReplayGuard): Promise<void> {
  const keys = [runKey, ...sinceKeys];
  const answer = await sendCommand(redis, 'EVAL', [SCRIPT, String(keys.length), ...keys, String(LIFE_MS)]);
  if (answer === '1') onNewServer?.();
}
