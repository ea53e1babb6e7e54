import type { Redis } from 'ioredis';
import { sendCommand } from './redis-connection.ts';

/**
 * Protects against replays after Redis lost writes (row A5 (valid once)). A promoted replica may lack the newest replay
 * records, and a restarted server may have lost its last second. So when another server, or another run of it, is
 * found, the script sets every since mark to now. The admission script then refuses older calls other than GET.
 */
const KEY_LIFETIME_MS = 86_400_000;

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
  /** The key that holds the run id of the server that served last. */
  runKey: string;
  /** The keys of the since marks: Unix seconds since when the replay records are complete. */
  sinceKeys: readonly string[];
  /** Called after the since marks were set: the last writes may be lost. */
  onNewServer?: () => void;
}

/**
 * Checks the server now, and again first on every new connection. Resolves after the first check. Rejects with
 * RedisRefusal when the account lacks EVAL or INFO, and with RedisUnreachable.
 */
export async function guardReplays(redis: Redis, guard: ReplayGuard): Promise<void> {
  redis.on('ready', () => {
    // No command may use an unchecked connection. The next connection is checked again.
    check(redis, guard).catch(() => redis.disconnect(true));
  });
  await check(redis, guard);
}

async function check(redis: Redis, { runKey, sinceKeys, onNewServer }: ReplayGuard): Promise<void> {
  const keys = [runKey, ...sinceKeys];
  const answer = await sendCommand(redis, 'EVAL', [SCRIPT, String(keys.length), ...keys, String(KEY_LIFETIME_MS)]);
  if (answer === '1') onNewServer?.();
}
