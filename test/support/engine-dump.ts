import type { Redis } from 'ioredis';
import type { Connection, RowDataPacket } from 'mysql2/promise';
import { decodeValue } from '../../shared/cache/value.ts';
import { checkKey, listFamilies } from '../../shared/keys.ts';

/** Every key of Redis with its value. Compressed values are included in plain form too. */
export async function dumpRedis(redis: Redis): Promise<string> {
  const lines: string[] = [];
  for (const key of await redis.keys('*')) {
    const type = await redis.type(key);
    const read: Record<string, () => Promise<unknown>> = {
      string: () => redis.getBuffer(key).then((bytes) => bytes?.toString('latin1')),
      zset: () => redis.zrange(key, '0', '-1', 'WITHSCORES'),
      hash: () => redis.hgetall(key),
      set: () => redis.smembers(key),
      list: () => redis.lrange(key, 0, -1),
    };
    const value = await read[type]?.();
    const unpacked = typeof value === 'string' ? JSON.stringify(decodeValue(value)?.value ?? null) : '';
    lines.push(`${key} = ${JSON.stringify(value)} ${unpacked}`);
  }
  return lines.join('\n');
}

/** Every row of every table. Binary columns are included in hex too. */
export async function dumpMysql(mysql: Connection): Promise<string> {
  const [tables] = await mysql.query<RowDataPacket[]>('SHOW TABLES');
  const lines: string[] = [];
  for (const row of tables) {
    const name = String(Object.values(row)[0]);
    // The sample texts are not secret, and there are thousands of rows.
    const [rows] = await mysql.query<RowDataPacket[]>(`SELECT * FROM \`${name}\` ORDER BY 1 DESC LIMIT 500`);
    for (const found of rows) lines.push(`${name} ${JSON.stringify(found)} ${hexOf(Object.values(found))}`);
  }
  return lines.join('\n');
}

const hexOf = (values: unknown[]): string =>
  values
    .flatMap((value) => (Buffer.isBuffer(value) ? [value.toString('hex'), value.toString('latin1')] : []))
    .join(' ');

/** Keys that break the rules of row A6 (keys): an undeclared name, no expiry, or a lifetime above the family's. */
export async function ruleBreakers(redis: Redis): Promise<string[]> {
  const lives = new Map(listFamilies().map((family) => [`${family.area}:${family.name}:v${family.version}`, family]));
  const wrong: string[] = [];
  for (const key of await redis.keys('*')) {
    try {
      checkKey(key);
    } catch {
      wrong.push(`${key}: no name of the registry`);
    }
    const family = lives.get(key.split(':').slice(2, 5).join(':'));
    const left = await redis.pttl(key);
    if (left === -1) wrong.push(`${key}: never ends`);
    if (family && left > family.ttlSeconds * 1000) wrong.push(`${key}: ${left} ms of ${family.ttlSeconds} s`);
    const parts = key.split(':').length - 5;
    if (family && parts !== family.parts.length) wrong.push(`${key}: ${parts} parts`);
  }
  return wrong;
}
