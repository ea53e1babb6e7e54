import { pingMysql } from './db.ts';
import { EngineError, SqlError } from './errors.ts';
import { pingRedis } from './redis.ts';

interface Health {
  redis: 'ok' | 'away';
  mysql: 'ok' | 'away';
}

const REMEMBERED_MS = 5_000;
let remembered: { health: Promise<Health>; until: number } | undefined;

/** Which engines answer. Anybody may ask, so the engines are asked once in five seconds, however many do. */
export function currentHealth(now = Date.now()): Promise<Health> {
  if (!remembered || remembered.until <= now) remembered = { health: askEngines(), until: now + REMEMBERED_MS };
  return remembered.health;
}

async function askEngines(): Promise<Health> {
  const [redis, mysql] = await Promise.all([standing(pingRedis()), standing(pingMysql())]);
  return { redis, mysql };
}

/** An engine that refuses what it is asked (credentials, a database that is not there) serves nobody either. */
async function standing(ping: Promise<void>): Promise<'ok' | 'away'> {
  try {
    await ping;
    return 'ok';
  } catch (error) {
    if (error instanceof EngineError || error instanceof SqlError) return 'away';
    throw error;
  }
}
