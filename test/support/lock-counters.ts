import type { Redis } from 'ioredis';

/** Every counter and strike of the API lock, by key. */
export async function lockCounters(redis: Redis): Promise<Record<string, string | null>> {
  const families = await Promise.all(['count', 'strikes'].map((name) => redis.keys(`*:lock:${name}:*`)));
  const keys = families.flat().sort();
  return Object.fromEntries(await Promise.all(keys.map(async (key) => [key, await redis.get(key)] as const)));
}
