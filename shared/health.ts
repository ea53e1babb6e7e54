import { pingMysql } from './db.ts';
import { EngineError, SqlError } from './errors.ts';
import { pingRedis } from './redis.ts';

type EngineState = 'ok' | 'down';
interface Health {
  redis: EngineState;
  mysql: EngineState;
}

const REMEMBERED_MS = 5_000;
let remembered: { health: Promise<Health>; until: number } | undefined;

/** Which engines answer. This route needs no signature, so the engines are asked at most once in five seconds. */
export function currentHealth(now = Date.now()): Promise<Health> {
  if (!remembered || remembered.until <= now) remembered = { health: askEngines(), until: now + REMEMBERED_MS };
  return remembered.health;
}

async function askEngines(): Promise<Health> {
  const [redis, mysql] = await Promise.all([stateOf(pingRedis()), stateOf(pingMysql())]);
  return { redis, mysql };
}

/** An engine that refuses the ping (wrong credentials, missing database) counts as down too. */
async function stateOf(ping: Promise<void>): Promise<EngineState> {
  try {
    await ping;
    return 'ok';
  } catch (error) {
    if (error instanceof EngineError || error instanceof SqlError) return 'down';
    throw error;
  }
}
